import { columnOf, expectNew, type Kind, option, quoted } from './kind.ts';
import { dependents, handover } from './succession.ts';

/** A column gets another name; both are written and read until finalize. */
export const renameColumn: Kind = {
  about: 'a column gets another name, and both names live until finalize',
  needs: ['column', 'to'],
  async mirror({ plan, source, options, sql }) {
    const former = columnOf(source, option(options, 'column'), 'column');
    const name = option(options, 'to');
    expectNew(source, '--to', name);
    const [identifier = name] = await quoted(sql, [name]);
    const { type } = former;
    const [ahead, back] = [`s.${former.quoted}`, `s.${identifier}`];
    const succession = { plan, source, former, heir: { name, quoted: identifier, type } };
    return {
      plan,
      title: `${source.schema}.${source.table}.${former.name} becomes ${name}`,
      source,
      targets: [{ name, quoted: identifier, type, value: ahead, safe: ahead, isAdded: true }],
      origins: [{ name: former.name, quoted: former.quoted, type, value: back, safe: back }],
      preflight: [dependents(succession)],
      ...handover(succession),
    };
  },
};
