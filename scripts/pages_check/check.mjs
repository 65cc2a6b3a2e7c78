// Opens pages in headless Chromium at a phone's and a desk's width, and has axe-core look at each.
//
// usage: node check.mjs CHROMIUM FOLDER < addresses, one a line
// A picture of each page is written into FOLDER. Prints a line for each fault that axe-core calls
// serious or critical, and where a page is wider than its window; ends with 1 if there is one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const WIDTHS = [390, 1280];
const HEIGHT = 900;
const GRAVE = ["serious", "critical"];
const SHOWN = 3;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const [executablePath, folder] = process.argv.slice(2);
const addresses = readFileSync(0, "utf8").split("\n").filter(Boolean);
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
let nFaults = 0;
const tell = (fault) => {
  nFaults += 1;
  console.log(fault);
};
for (const [number, address] of addresses.entries()) {
  for (const width of WIDTHS) {
    const page = await browser.newPage();
    // The rules are a script from outside of the page, which its own policy would forbid.
    await page.setBypassCSP(true);
    await page.setViewport({ width, height: HEIGHT });
    const answer = await page.goto(address, { waitUntil: "load" });
    // 401 is the page on which to sign in.
    if (answer !== null && !answer.ok() && answer.status() !== 401) tell(`${address}: status ${answer.status()}`);
    const overhang = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overhang > 0) tell(`${address} at ${width} px: ${overhang} px wider than its window`);
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
    for (const { id, impact, help, nodes } of found.violations) {
      if (!GRAVE.includes(impact)) continue;
      const where = nodes.slice(0, SHOWN).map((node) => node.target.join(" ")).join("; ");
      tell(`${address} at ${width} px: ${impact}: ${help} (${id}), ${nodes.length} times: ${where}`);
    }
    await page.screenshot({ path: join(folder, `${number}-${width}.png`) });
    await page.close();
  }
}
await browser.close();
console.log(`${addresses.length} pages at ${WIDTHS.join(" and ")} px: ${nFaults} faults`);
process.exitCode = nFaults ? 1 : 0;
