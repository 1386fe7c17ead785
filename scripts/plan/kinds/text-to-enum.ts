import { Problem } from '../problem.ts';
import { columnOf, type Kind, option } from './kind.ts';
import { literal, routine } from './pieces.ts';
import { change } from './type-change.ts';

/** A column of text becomes one of an enum, which the plan makes where it is not there. */
export const textToEnum: Kind = {
  about: 'a column of text gets an enum as its type; values that are no label are listed first',
  needs: ['column', 'enum'],
  may: ['labels'],
  async mirror(given) {
    const { plan, source, options, sql } = given;
    const former = columnOf(source, option(options, 'column'), 'column');
    const typed = option(options, 'enum');
    const [, schemaName, typeName] = /^"?([^".]+)"?\."?([^".]+)"?$/.exec(typed) ?? [];
    if (!schemaName || !typeName) {
      throw new Problem(
        'bad-value',
        `--enum: ${typed} is not the name of a type.`,
        'Write schema and type: public.status.',
      );
    }
    const [found] = await sql<[{ type: string; labels: string[] | null }]>`
      select format('%I.%I', ${schemaName}::text, ${typeName}::text) as type, (
        select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e
        where e.enumtypid = to_regtype(format('%I.%I', ${schemaName}::text, ${typeName}::text))) as labels`;
    const { type } = found;
    const labels =
      found.labels ??
      options.labels
        ?.split(',')
        .map((label) => label.trim())
        .filter(Boolean);
    if (!labels || labels.length === 0) {
      throw new Problem(
        'bad-value',
        `There is no enum ${type}.`,
        'Say its labels: --labels draft,published,archived',
      );
    }
    const mirror = await change(given, former, type, {
      known: found.labels ? undefined : `(s.${former.quoted})::text in (${labels.map(literal).join(', ')})`,
    });
    const samples = {
      [former.name]: `(array[${labels.map(literal).join(', ')}])[1 + i % ${labels.length}]::${former.type}`,
    };
    if (found.labels !== null) return { ...mirror, samples };
    return {
      ...mirror,
      samples,
      before: `  if pg_catalog.to_regtype(${literal(type)}) is null then
    create type ${type} as enum (${labels.map(literal).join(', ')});
    perform imago.note_added('${plan}', ${literal(type)});
  end if;
`,
      functions: {
        ...mirror.functions,
        clean_type: routine(
          `${plan}.clean_type()`,
          'void',
          `Clean-up step after a complete rollback: drops type ${type} if prepare made it and nothing uses it.`,
          `begin
  if imago.is_added('${plan}', ${literal(type)}) then
    drop type if exists ${type};
    perform imago.forget_added('${plan}', ${literal(type)});
  end if;
exception when dependent_objects_still_exist then
  -- The app uses it: it stays.
  null;
end`,
          'plpgsql',
        ),
      },
      // Last: the column that has this type goes before.
      lastSteps: [
        { name: `type ${type}, if unused`, phase: 'cleanup', routine: 'clean_type', onlyAfter: 'rollback' },
      ],
    };
  },
};
