// All modules of the page. Each is one idea, and none needs a build step.
import "./navigation.js";
import "./players.js";
import "./plan.js";
import "./attention.js";
import "./connection.js";
import "./hints.js";
import "./edges.js";
import "./folds.js";
import "./sing.js";
import "./faults.js";
import "./draft.js";
import "./blend.js";
import "./karaoke.js";
import "./compare.js";
import "./shelf.js";
import "./evidence.js";
import "./history.js";
