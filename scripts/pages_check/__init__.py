"""Can everybody read the pages: axe-core's rules, at a phone's and a desk's width."""
