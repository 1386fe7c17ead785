import { randomNumbers } from './random.ts';

/** A body that must be refused, with the code of the refusal. */
export interface BadBody {
  name: 'migrate' | 'rollback' | 'validate';
  text: string | Uint8Array<ArrayBuffer>;
  code: 'bad_json' | 'bad_body';
}

/** Is in every value that a bad body holds, and so must be in no answer. */
export const MARK = 'mark-5f2c9';

const USER = '3f2c1b9e-0d4a-4c55-9a7e-1b2c3d4e5f60';

/** Bodies of each function that are good, the beginning of all bad ones. */
const GOOD: Record<BadBody['name'], Record<string, unknown>[]> = {
  migrate: [
    {},
    { plan: 'avatars', action: 'run', max_seconds: 20, batch_size: 500 },
    { action: 'pause' },
    { dry_run: true, max_seconds: 2 },
    { backup: false, batch_size: 1 },
    { max_failures: '2%', on_failure: 'stop' },
  ],
  rollback: [
    { user_id: USER },
    { user_id: USER, force: true, plan: 'avatars' },
    { all: true, confirm: 'avatars', max_seconds: 140 },
    { all: true, confirm: 'avatars', plan: 'avatars', force: false },
  ],
  validate: [{}, { plan: 'avatars', detailed: true }, { fix_issues: true, dry_run: true, max_seconds: 1 }],
};

const words = [
  MARK,
  `${MARK}'; drop table public.users; --`,
  `$$${MARK}$$`,
  `${MARK}\u0000`,
  `../${MARK}`,
  `${MARK}${'x'.repeat(3000)}`,
  `\ud800${MARK}`,
  `${MARK} avatars`,
];

/** Values that no field takes. */
const strange: unknown[] = [null, [], {}, [MARK], { [MARK]: MARK }, [[[[]]]], { toString: MARK }, ...words];

/** Values that these fields do not take, though others might. */
const wrong: Record<string, unknown[]> = {
  plan: ['', ' ', 'Avatars', 'avatars ', 'a-b', 'é', '1a', 'a'.repeat(42), 0, 1, true],
  action: ['', 'RUN', 'run ', 'start', 'rollback', 'constructor', '__proto__', 0, true],
  max_seconds: [0, 0.5, -1, 141, 1e308, -1e308, 140.0001, '20', true, 1e16],
  batch_size: [0, -1, 10_001, 1.5, 1e308, '500', false, 2 ** 53],
  dry_run: [0, 1, 'true', 'false', ''],
  run: [0, -1, 1.5, '1', true, 1e308, 2 ** 53],
  backup: [0, 1, 'true', 'no', ''],
  max_failures: ['', '-1', '101%', '1.5', '%', '3 ', -1, 1.5, 1e10, true],
  on_failure: ['', 'STOP', 'retry', 0, true],
  force: [0, 1, 'true', ''],
  all: [false, 0, 1, 'true', 'avatars'],
  user_id: ['', 'all', '*', USER.slice(1), `${USER} `, `{${USER}}`, USER.replaceAll('-', ''), 1, true],
  confirm: [0, 1, true, MARK.repeat(100)],
  detailed: [0, 1, 'true', ''],
  fix_issues: [0, 1, 'true', ''],
  entity: ['', 1, true, MARK.repeat(200)],
  stage: [0, -1, 1.5, '1', true],
  every_seconds: [0, 3_601, 1.5, '10'],
  finalize: [0, 1, 'true'],
};

const FIELDS: Record<BadBody['name'], string[]> = {
  migrate: [
    'plan',
    'action',
    'max_seconds',
    'batch_size',
    'dry_run',
    'backup',
    'max_failures',
    'on_failure',
    'run',
    'every_seconds',
    'finalize',
    'confirm',
  ],
  rollback: ['plan', 'user_id', 'entity', 'stage', 'all', 'force', 'confirm', 'max_seconds', 'run'],
  validate: ['plan', 'detailed', 'fix_issues', 'dry_run', 'max_seconds'],
};

const contradictions: Record<BadBody['name'], object[]> = {
  migrate: [
    { action: 'pause', batch_size: 5 },
    { action: 'cancel', run: 1 },
    { action: 'retry', dry_run: false },
    { dry_run: true, backup: true, action: 'run' },
    { dry_run: true, run: 1 },
    { dry_run: true, max_failures: '3' },
    { action: 'resume', on_failure: 'stop' },
    { action: 'pause', confirm: 'avatars' },
    { action: 'finalize', run: 1 },
  ],
  rollback: [
    { user_id: USER, all: true },
    { user_id: USER, all: undefined, confirm: 'avatars' },
    { user_id: USER, all: undefined, max_seconds: 5 },
    { user_id: USER, all: undefined, run: 1 },
    { user_id: USER, all: undefined, confirm: undefined, plan: 'tally' },
    { all: undefined, user_id: USER, entity: '1' },
    { all: true, user_id: undefined, entity: undefined, stage: 1 },
    { user_id: undefined, all: undefined },
  ],
  validate: [{ action: 'run' }, { confirm: 'avatars' }],
};

const unknownFields = [
  'Plan',
  'plan ',
  'max_ms',
  'user',
  'userId',
  'on_failure',
  'max_failures',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  '0',
  'ключ',
  '\u202e',
  'select',
];

/** So many bad bodies, the same for the same seed. */
export function badBodies(count: number, seed: number): BadBody[] {
  const random = randomNumbers(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;

  /** A good body that is spoilt, as text and what it then is. */
  const spoil: ((name: BadBody['name'], good: Record<string, unknown>) => Omit<BadBody, 'name'>)[] = [
    // A field with a value that it does not take, in two of three cases.
    ...Array.from({ length: 2 }, () => (name: BadBody['name'], good: Record<string, unknown>) => {
      const field = pick(FIELDS[name]);
      // confirm takes any text, and another one than the plan's name is an error of its own.
      const values =
        field === 'confirm' ? [null, [], {}, ...(wrong[field] ?? [])] : [...strange, ...(wrong[field] ?? [])];
      return { text: JSON.stringify({ ...good, [field]: pick(values) }), code: 'bad_body' as const };
    }),
    // A field that nobody knows. It is written as text, since an object would take __proto__ for its own.
    (_, good) => {
      const known = JSON.stringify(good).slice(1, -1);
      const unknown = `${JSON.stringify(pick(unknownFields))}:${JSON.stringify(pick(words))}`;
      return { text: `{${[known, unknown].filter(Boolean).join(',')}}`, code: 'bad_body' };
    },
    // Fields that are good alone and mean nothing together.
    (name, good) => ({ text: JSON.stringify({ ...good, ...pick(contradictions[name]) }), code: 'bad_body' }),
    // Something else than an object.
    (_, good) => ({
      text: JSON.stringify(
        pick<unknown>([null, true, 0, 1e300, ...words, [], [good], [[good]], JSON.stringify(good)]),
      ),
      code: 'bad_body',
    }),
    // Deep, but not large.
    () => {
      const depth = 10 + below(5_000);
      return { text: '['.repeat(depth) + ']'.repeat(depth), code: 'bad_body' };
    },
    // Cut off.
    (_, good) => {
      const text = JSON.stringify({ ...good, plan: 'avatars' });
      return { text: text.slice(0, below(text.length)), code: 'bad_json' };
    },
    // Almost JSON.
    (_, good) => {
      const text = JSON.stringify({ ...good, plan: 'avatars' });
      const almost = [
        `${text},`,
        `${text}${text}`,
        `${text}\u0000`,
        `// ${MARK}\n${text}`,
        text.replaceAll('"', "'"),
        text.replace('{', '{,'),
        text.replace('}', ',}'),
        text.replace('"avatars"', 'NaN'),
        text.replace('"avatars"', 'undefined'),
        text.replace('"avatars"', '0x10'),
        text.replace('"avatars"', '"\t"'),
        text.replace('"avatars"', '"\\x61"'),
        text.replace('"plan"', 'plan'),
        `plan=avatars&action=${MARK}`,
        `<plan>${MARK}</plan>`,
      ];
      return { text: pick(almost), code: 'bad_json' };
    },
    // Bytes that are no text.
    (_, good) => {
      const bytes = new TextEncoder().encode(JSON.stringify({ ...good, plan: 'avatars' }));
      bytes[bytes.length - 4] = pick([0xff, 0xc0, 0x80, 0xf8]);
      return { text: bytes, code: 'bad_json' };
    },
  ];

  return Array.from({ length: count }, () => {
    const name = pick(['migrate', 'rollback', 'validate'] as const);
    return { name, ...pick(spoil)(name, pick(GOOD[name])) };
  });
}
