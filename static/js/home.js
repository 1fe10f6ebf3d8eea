/** The first page and the notices: their buttons have keys. */

import { init } from "./keys.js";

init(document);
