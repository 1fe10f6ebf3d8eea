/** Pages whose buttons have keys and that have no other script. */

import { init } from "./keys.js";

init(document);
