export { finalize, prepare } from '../../../scripts/plan/conformance/steps.ts';
