/** The version of the engine, which stands in the database: newer code works with it, older code must not. */
import { z } from 'zod';

/** The newest version that this code knows. sql/engine/tables/setting.sql has the same number. */
export const knownEngine = 1;

/** `get_engine_version`. */
export const engineAnswer = z.looseObject({ version: z.number() });
