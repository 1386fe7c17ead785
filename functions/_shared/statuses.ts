/** Which HTTP status an SQLSTATE becomes: the one table for all functions, shown in docs/errors.md. */
import type { ProblemCode } from './problems.ts';

export interface StatusRule {
  status: number;
  /** SQLSTATEs, classes (their first two characters), or codes of PostgREST. The longest that fits decides. */
  codes: readonly string[];
  /** What these codes have in common, for the table in docs/errors.md. */
  meaning: string;
  /** The code of the answer, where it is not the SQLSTATE itself. */
  code?: ProblemCode;
}

export const statusRules: readonly StatusRule[] = [
  {
    status: 400,
    codes: ['IM002', 'IM003', 'IM004', 'IM015', 'IM033', 'IM051', '22'],
    meaning: 'an argument is not valid',
  },
  {
    status: 403,
    codes: ['IM032', 'IM087', '28', '42501'],
    meaning: 'the role that the functions work as has no right to this',
  },
  { status: 404, codes: ['IM001', 'IM013', 'IM034'], meaning: 'there is no such plan, entity or run' },
  {
    status: 409,
    codes: [
      'IM005',
      'IM006',
      'IM007',
      'IM008',
      'IM009',
      'IM017',
      'IM019',
      'IM020',
      'IM022',
      'IM023',
      'IM024',
      'IM027',
      'IM031',
      'IM038',
      'IM039',
      'IM040',
      'IM042',
      'IM043',
      'IM048',
      'IM052',
      'IM053',
      'IM054',
      'IM055',
      'IM056',
      'IM057',
      'IM062',
      'IM063',
      'IM066',
      'IM074',
      'IM075',
      'IM076',
      'IM077',
      'IM079',
      'IM081',
      'IM085',
      'IM094',
      'IM095',
      '23',
    ],
    meaning: 'the state of the plan, its run or the data does not allow it',
  },
  {
    status: 500,
    codes: [
      'IM010',
      'IM011',
      'IM012',
      'IM014',
      'IM021',
      'IM026',
      'IM029',
      'IM030',
      'IM035',
      'IM036',
      'IM041',
      'IM044',
      'IM045',
      'IM060',
      'IM061',
      'IM065',
      'IM067',
      'IM068',
      'IM070',
      'IM071',
      'IM072',
      'IM073',
      'IM078',
    ],
    meaning: 'the plan, the schema or the server has to be fixed first',
  },
  {
    status: 503,
    codes: ['08', '57P01', '57P02', '57P03', 'PGRST000', 'PGRST001', 'PGRST002', 'PGRST003'],
    meaning: 'the database cannot be reached',
    code: 'unavailable',
  },
  {
    status: 503,
    codes: ['IM016', 'IM025', 'IM064', 'IM080', 'IM088', '25006', '40', '53', '55', '57'],
    meaning: 'locked, busy, read-only or out of time for the moment: the same call may succeed later',
  },
  {
    status: 504,
    codes: ['IM018', 'IM028', 'IM058', 'IM069'],
    meaning: 'it does not fit the statement timeout, however often it is tried',
  },
];

/** The rule for a code, if there is one. All other codes are answered with 500 and `internal`. */
export function ruleFor(code: string): StatusRule | undefined {
  const length = (rule: StatusRule) =>
    Math.max(0, ...rule.codes.filter((start) => code.startsWith(start)).map((start) => start.length));
  const [best] = statusRules.toSorted((one, other) => length(other) - length(one));
  return best && length(best) > 0 ? best : undefined;
}
