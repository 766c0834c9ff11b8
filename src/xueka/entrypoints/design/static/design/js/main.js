// Everything a page with the shell needs. No build step: these are the files the browser loads.
import "./theme-switch.js";
import "./menu.js";
import "./dialogs.js";
import "./keys.js";
import "./flash.js";
import "./htmx-manner.js";
import "./search.js";
import "./list.js";
import "./views.js";
import "./scan.js";
import "./drop.js";
import "./crop.js";
import "./masked.js";
import "./chart.js";
import "./print.js";
import { say } from "./flash.js";
import { keep, restore } from "./keep.js";

keep();
restore(say);
