/** What the functions are asked, as zod schemas. Unknown fields are refused by name; nothing has a hidden meaning. */
import { z } from 'zod';

/** As imago.plan has them. */
const plan = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,40}$/, 'not the name of a plan')
  .default('avatars');

/** Hosted functions have to answer within 150 s; 140 leave room for a last statement that runs into its timeout. */
const maxSeconds = z.number().min(1).max(140);
const defaultSeconds = 20;

/** The run of an earlier answer: a request that comes after its end then opens no other one. */
const run = z.int().min(1).optional();

/** What an error budget may be, as SQL takes it; the command asks here, too. */
export const maxFailures = z
  .union([z.int().min(0).max(999_999_999), z.string()])
  .transform(String)
  .pipe(z.string().regex(/^(\d{1,9}|(100|\d{1,2}(\.\d{1,4})?)%)$/, 'not a number or a percentage'));

/** Some entities first, as SQL takes it; the command asks here, too. */
export const percent = z.number().min(0.0001).max(100);
export const cohortKeys = z
  .array(z.union([z.string(), z.number()]))
  .min(1)
  .max(10_000);
export const cohortNames = z
  .array(z.string().regex(/^[a-z][a-z0-9_]{0,60}$/, 'not the name of a cohort'))
  .min(1);
const cohort = z
  .strictObject({
    percent: percent.optional(),
    keys: cohortKeys.optional(),
    names: cohortNames.optional(),
  })
  .refine((given) => Object.keys(given).length > 0, 'give percent, keys or names');

/** Refuses fields that would do nothing beside another one. */
function refuse<Request extends object>(
  context: z.RefinementCtx<Request>,
  fields: readonly (keyof Request & string)[],
  message: string,
): void {
  for (const field of fields) {
    if (context.value[field] !== undefined) context.addIssue({ code: 'custom', path: [field], message });
  }
}

/** What holds for a run: fixed by the request that opens it. */
const ofTheRun = ['backup', 'max_failures', 'on_failure'] as const;

export const migrateRequest = z
  .strictObject({
    plan,
    action: z
      .enum(['run', 'pause', 'resume', 'cancel', 'retry', 'schedule', 'unschedule', 'finalize'])
      .default('run'),
    max_seconds: maxSeconds.optional(),
    batch_size: z.int().min(1).max(10_000).optional(),
    dry_run: z.union([z.boolean(), z.enum(['sample', 'full', 'preflight'])]).optional(),
    backup: z.boolean().optional(),
    max_failures: maxFailures.optional(),
    on_failure: z.enum(['stop', 'rollback']).optional(),
    cohort: cohort.optional(),
    run,
    /** Of schedule: how often pg_cron works, and whether it finalizes instead of moving. */
    every_seconds: z.int().min(1).max(3_600).optional(),
    finalize: z.boolean().optional(),
    /** Of finalize: the name of the plan once more. */
    confirm: z.string().max(100).optional(),
  })
  .superRefine((request, context) => {
    if (request.action !== 'schedule')
      refuse(context, ['every_seconds', 'finalize'], 'goes with action schedule only');
    if (request.action !== 'finalize') refuse(context, ['confirm'], 'goes with action finalize only');
    if (request.action === 'finalize') {
      refuse(
        context,
        ['max_seconds', 'batch_size', ...ofTheRun, 'cohort', 'run'],
        'goes with action run only',
      );
      if (typeof request.dry_run === 'string')
        context.addIssue({
          code: 'custom',
          path: ['dry_run'],
          message: 'true or false with action finalize',
        });
    } else if (request.action !== 'run')
      refuse(
        context,
        ['max_seconds', 'batch_size', 'dry_run', ...ofTheRun, 'cohort', 'run'],
        'goes with action run only',
      );
    else if (request.dry_run) refuse(context, [...ofTheRun, 'run'], 'a dry run keeps nothing');
  })
  .transform((request) => ({ ...request, max_seconds: request.max_seconds ?? defaultSeconds }));

export const rollbackRequest = z
  .strictObject({
    plan,
    user_id: z.guid('not a UUID').optional(),
    /** The key of one entity, of any plan; with stage where several stages know it. */
    entity: z.string().min(1).max(1_000).optional(),
    stage: z.int().min(1).max(1_000).optional(),
    all: z.literal(true).optional(),
    force: z.boolean().optional(),
    confirm: z.string().max(100).optional(),
    max_seconds: maxSeconds.optional(),
    run,
  })
  .superRefine((request, context) => {
    const issue = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const named = [request.user_id, request.entity, request.all].filter((one) => one !== undefined);
    if (named.length !== 1) issue('user_id', 'give either user_id, entity or all');
    if (request.entity === undefined) refuse(context, ['stage'], 'goes with entity only');
    if (request.all !== undefined) return;
    refuse(context, ['confirm', 'max_seconds', 'run'], 'goes with all only');
    if (request.user_id !== undefined && request.plan !== 'avatars')
      issue('plan', 'goes with user_id in plan avatars only; entity takes a key of any plan');
  })
  .transform((request) => ({ ...request, max_seconds: request.max_seconds ?? defaultSeconds }));

export const validateRequest = z.strictObject({
  plan,
  detailed: z.boolean().default(false),
  fix_issues: z.boolean().default(false),
  dry_run: z.boolean().default(false),
  max_seconds: maxSeconds.default(defaultSeconds),
});

/** The query of `progress`. Without `view` it is progress, and in the format for Prometheus also performance. */
export const progressRequest = z
  .strictObject({
    plan,
    view: z
      .enum(['progress', 'performance', 'statistics', 'report', 'plans', 'failures', 'history', 'log'])
      .optional(),
    format: z.enum(['json', 'prometheus']).default('json'),
    /** Of the log: lines of this level and those above. */
    level: z.enum(['info', 'warning', 'error']).optional(),
  })
  .superRefine((request, context) => {
    if (request.view !== 'log') refuse(context, ['level'], 'goes with view log only');
    const hasMetrics = [undefined, 'progress', 'performance', 'statistics'].includes(request.view);
    if (request.format === 'prometheus' && !hasMetrics)
      context.addIssue({ code: 'custom', path: ['format'], message: 'json is the only one of this view' });
  });

/** The id of a user of the app: an integer of PostgreSQL, in a path or in app_metadata. */
export const userId = z
  .union([z.string().regex(/^[1-9]\d{0,9}$/), z.number()], 'not the id of a user')
  .transform(Number)
  .pipe(
    z.int('not the id of a user').min(1, 'not the id of a user').max(2_147_483_647, 'not the id of a user'),
  );

/** No query at all. */
export const noFields = z.strictObject({});

/** The query of `gigs/get-user-gigs`. */
export const gigsRequest = z.strictObject({
  includeProfileGigs: z
    .enum(['true', 'false'])
    .default('false')
    .transform((included) => included === 'true'),
});
