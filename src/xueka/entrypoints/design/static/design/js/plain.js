// Pages without the shell.
import "./theme-switch.js";
import "./dialogs.js";
import "./focus-error.js";
import { lost } from "./keep.js";

lost();
