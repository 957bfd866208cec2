// Drives the page of `mqtrace view` in Chromium. `make browser` runs it.
import './list.test.js';
import './trace.test.js';
import './access.test.js';
import './safety.test.js';
import './files.test.js';
import './queues.test.js';
