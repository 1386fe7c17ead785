/** The parser of each command, for whoever has to know its options before it is called. */
import type { Command } from 'commander';
import { parserOf as dashboard } from '../dashboard/options.ts';
import { parserOf as db } from '../db/options.ts';
import { parserOf as doctor } from '../doctor/options.ts';
import { parserOf as fleetDemo } from '../fleet/demo-options.ts';
import { parserOf as fleet } from '../fleet/options.ts';
import { parserOf as install } from '../install/options.ts';
import { parserOf as local } from '../local/options.ts';
import { commandNames } from '../migrate/actions.ts';
import { parserOf } from '../migrate/parser.ts';
import { parserOf as plan } from '../plan/options.ts';
import { parserOf as validate } from '../validate/options.ts';

type ParserOf = (program: string) => Command;

/** By the name of the command. */
export const parsers: ReadonlyMap<string, ParserOf> = new Map<string, ParserOf>([
  ...commandNames.map((name): [string, ParserOf] => [name, (program) => parserOf(name, program)]),
  ['validate', validate],
  ['dashboard', dashboard],
  ['fleet', (program) => fleet(program)],
  ['fleet:demo', fleetDemo],
  ['install', install],
  ['doctor', doctor],
  ['local', local],
  ['db', (program) => db(program)],
  ['plan', (program) => plan(program)],
]);
