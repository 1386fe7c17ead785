/** A marketplace: what freelancers say of themselves is on the user and on their profile gig. */
import { type App, GaveWay, returned } from '../app.ts';
import { type Row, storedRows, unlike } from '../model.ts';

const isFreelancer = (user: Row) => user.role === 'freelancer' && user.isProfileInfoSet === true;

function nameOf(user: Row): unknown {
  const full = user.fullName;
  return typeof full === 'string' && full.trim() !== '' ? full : user.username;
}

export const profileGigs: App = {
  plan: 'profile_gigs',
  file: 'tests/support/profile_gigs.sql',
  entities: 320,
  walked: ['public."User"'],
  mine: { Gigs: 'not t."isProfileGig"' },
  writes: [
    {
      name: 'sign-up of a freelancer',
      weight: 2,
      async write(tx, model, slice) {
        const n = slice.next();
        const row = await returned(tx`
          insert into public."User" (username, email, password, role, "isProfileInfoSet", skills, "updatedAt")
          values (${`late_${n}`}, ${`late_${n}@example.test`}, 'x', 'freelancer', true, ${`{SQL,"no. ${n}"}`}::text[], now())
          returning to_jsonb("User") as row`);
        return () => {
          model.put('User', row as Row);
          slice.own('User', String(row?.id));
        };
      },
    },
    {
      name: 'a client becomes a freelancer',
      weight: 1,
      async write(tx, model, slice) {
        const id = slice.key('User', (key) => !isFreelancer(model.rows('User').get(key) ?? {}));
        if (!id) return null;
        const row = await returned(tx`
          update public."User" set role = 'freelancer', "isProfileInfoSet" = true where id = ${Number(id)}
          returning to_jsonb("User") as row`);
        return row ? () => model.put('User', row) : null;
      },
    },
    {
      name: 'skills of a user',
      weight: 4,
      async write(tx, model, slice) {
        const id = slice.key('User', (key) => isFreelancer(model.rows('User').get(key) ?? {}));
        if (!id) return null;
        const n = slice.next();
        const row = await returned(tx`
          update public."User" set skills = ${`{"old ${n}"}`}::text[], "yearsOfExperience" = ${n % 40} where id = ${Number(id)}
          returning to_jsonb("User") as row`);
        return row ? () => model.put('User', row) : null;
      },
    },
    {
      name: 'skills of a profile gig',
      weight: 4,
      async write(tx, model, slice) {
        const id = slice.key('User', (key) => isFreelancer(model.rows('User').get(key) ?? {}));
        if (!id) return null;
        const skill = `new ${slice.next()}`;
        const skills = [skill];
        const gigs = await tx`
          update public."Gigs" set skills = array[${skill}], certificates = null
          where "isProfileGig" and "userId" = ${Number(id)} returning id`;
        if (gigs.length === 0) return null;
        const row = await returned(
          tx`select to_jsonb(u) as row from public."User" u where id = ${Number(id)}`,
        );
        const followed = JSON.stringify(row?.skills) === JSON.stringify(skills) && row?.certificates === null;
        if (!followed) throw new GaveWay();
        return () => {
          const user = model.rows('User').get(id);
          if (user) Object.assign(user, { skills, certificates: null });
        };
      },
    },
    {
      name: 'another gig',
      weight: 2,
      async write(tx, model, slice) {
        const user = slice.key('User');
        if (!user) return null;
        const own = slice.key('Gigs');
        const row = await returned(
          own && slice.below(2) === 0
            ? tx`update public."Gigs" set price = ${slice.next()} where id = ${Number(own)} returning to_jsonb("Gigs") as row`
            : tx`insert into public."Gigs" (title, description, category, "deliveryTime", revisions, price, "shortDesc", "userId")
                 values (${`Late ${slice.next()}`}, 'x', 'Design', 1, 1, 1, 'x', ${Number(user)}) returning to_jsonb("Gigs") as row`,
        );
        if (!row) return null;
        return () => {
          model.put('Gigs', row);
          if (!own) slice.own('Gigs', String(row.id));
        };
      },
    },
  ],
  async moved(sql, model) {
    const made = await storedRows(sql, 'public."Gigs"', 'userId', 't."isProfileGig"');
    const all = await storedRows(sql, 'public."Gigs"', 'id', 't."isProfileGig"');
    const wanted = new Map(
      [...model.rows('User')]
        .filter(([, user]) => isFreelancer(user))
        .map(([id, user]): [string, Row] => [
          id,
          {
            title: `${nameOf(user)}'s Professional Profile`,
            skills: user.skills,
            codingLanguages: user.codingLanguages,
            yearsOfExperience: user.yearsOfExperience ?? 0,
            certificates: user.certificates,
          },
        ]),
    );
    const wrong = unlike('the profile gig of', wanted, made);
    if (all.size !== made.size) wrong.push(`public."Gigs" has ${all.size - made.size} profile gigs too many`);
    return wrong;
  },
  async back(sql) {
    const left = await storedRows(sql, 'public."Gigs"', 'id', 't."isProfileGig"');
    return [...left.keys()].map((id) => `public."Gigs" ${id} should not be there`);
  },
};
