/** The first page: its buttons have keys. */

import { init } from "./keys.js";

init(document);
