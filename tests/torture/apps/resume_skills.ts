/** An app for résumés: everybody gets a list of skills who has not brought one. */
import { type App, returned } from '../app.ts';
import { type Model, type Row, storedRows, unlike } from '../model.ts';

/** Users who brought skills of their own when they signed up. */
const brought = new WeakMap<Model, Map<string, unknown>>();

function broughtTo(model: Model): Map<string, unknown> {
  const known = brought.get(model) ?? new Map<string, unknown>();
  brought.set(model, known);
  return known;
}

function expected(model: Model, others: unknown): Map<string, Row> {
  const own = broughtTo(model);
  return new Map(
    [...model.rows('users').keys()].map((id) => [id, { skills: own.has(id) ? own.get(id) : others }]),
  );
}

export const resumeSkills: App = {
  plan: 'resume_skills',
  file: 'tests/support/resume_skills.sql',
  entities: 240,
  walked: ['public.users'],
  writes: [
    {
      name: 'sign-up',
      weight: 3,
      async write(tx, model, slice) {
        const n = slice.next();
        const skills = n % 3 === 0 ? [{ name: `no. ${n}`, level: 'expert' }] : null;
        const row = await returned(tx`
          insert into public.users (name, email, password, skills) values ('New', ${`new${n}@example.com`}, 'x', ${skills && tx.json(skills)})
          returning to_jsonb(users) as row`);
        return () => {
          model.put('users', row as Row);
          slice.own('users', String(row?.id));
          if (skills) broughtTo(model).set(String(row?.id), skills);
        };
      },
    },
    {
      name: 'profile',
      weight: 4,
      async write(tx, model, slice) {
        const id = slice.key('users');
        if (!id) return null;
        const row = await returned(tx`
          update public.users set phone = ${`+1 ${slice.next()}`} where id = ${Number(id)} returning to_jsonb(users) as row`);
        return row ? () => model.put('users', row) : null;
      },
    },
    {
      name: 'résumé',
      weight: 2,
      async write(tx, model, slice) {
        const id = slice.key('users');
        if (!id) return null;
        const row = await returned(tx`
          insert into public.resumes (user_id, title) values (${Number(id)}, ${`Late ${slice.next()}`}) returning to_jsonb(resumes) as row`);
        return () => model.put('resumes', row as Row);
      },
    },
    {
      name: 'a user is deleted',
      weight: 1,
      async write(tx, model, slice) {
        const id = slice.key('users', (key) => slice.isNew('users', key));
        if (!id) return null;
        const gone = await tx`delete from public.users where id = ${Number(id)} returning id`;
        if (gone.length === 0) return null;
        return () => {
          model.rows('users').delete(id);
          for (const [key, resume] of model.rows('resumes')) {
            if (String(resume.user_id) === id) model.rows('resumes').delete(key);
          }
        };
      },
    },
  ],
  async moved(sql, model) {
    const preset = [{ name: 'Unspecified', level: 'beginner' }];
    return unlike('public.users', expected(model, preset), await storedRows(sql, 'public.users', 'id'));
  },
  async back(sql, model) {
    return unlike('public.users', expected(model, null), await storedRows(sql, 'public.users', 'id'));
  },
};
