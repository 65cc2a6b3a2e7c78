// What is wider than its place scrolls by the keyboard, too: tables, which the theme wraps in boxes
// that take no focus, code, and charts on a phone.
window.addEventListener("load", () => {
  const boxes = ".md-typeset__scrollwrap, .md-typeset pre > code, .md-typeset p:has(> img[src$='.svg'])";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
    }
  }
});
