import { everyPlan } from '../support/conformance/plans.ts';
import { conform } from '../support/conformance.ts';

/** Every plan under sql/plans/ through the same tests. */

await everyPlan(conform);
