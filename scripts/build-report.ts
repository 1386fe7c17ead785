/** Builds what makes the page of `validate --report` into one module, on stdout. `npm run build` puts it into dist/report.js. */
import { bundle } from './build-bundle.ts';

process.stdout.write((await bundle('report/report.tsx', { forNode: true })).script);
