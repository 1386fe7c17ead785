/** Databases that are made to be compared, and dropped again. */
import postgres, { type Sql, type TransactionSql } from 'postgres';
import { leavesTables } from '../sql/kinds.ts';
import type { Statement } from '../sql/statements.ts';
import { type Catalog, readCatalog, readDatabase } from './catalog.ts';
import { quote, readable } from './names.ts';
import { inDatabase } from './own-database.ts';
import { Problem } from './problem.ts';
import type { SqlFile, Version } from './project.ts';
import { readScript, runScript, runStatements, type Script } from './running.ts';
import { compareStructures, type Effect, readStructure, type Structure } from './structure.ts';
import { stepsBetween } from './supplement.ts';

/** Where shadow databases are made. */
export interface Shadows {
  url(database: string): string;
  /** What an empty one is a copy of. */
  pristine: string;
  /** What versions call the database that they are in. */
  called: ReadonlySet<string>;
}

/** A statement with what it did to what was there before. */
export interface Measured {
  statement: Statement;
  effects: Effect[];
}

let count = 0;

/** Roles that shadows have made, which the server would keep. */
const madeRoles = new Set<string>();

/** Roles belong to the server: who is there is not made once more, and nobody goes for a shadow. */
async function withoutRoles(sql: Sql | TransactionSql, script: Script): Promise<Script> {
  const made = script.statements.flatMap(({ tree }) => tree.CreateRoleStmt?.role ?? []);
  const there = made.length > 0 ? await rolesOn(sql) : [];
  for (const role of made) if (!there.includes(role)) madeRoles.add(role);
  const isLeftOut = ({ tree }: Statement) =>
    'DropRoleStmt' in tree || there.includes(tree.CreateRoleStmt?.role ?? '');
  return { ...script, statements: script.statements.filter((statement) => !isLeftOut(statement)) };
}

/** One shadow database. Its connection is opened when it is needed. */
export class Shadow {
  readonly url: string;
  readonly #shadows: Shadows;
  readonly #name: string;
  #sql: Sql | undefined;

  private constructor(shadows: Shadows, name: string) {
    this.#shadows = shadows;
    this.#name = name;
    this.url = shadows.url(name);
  }

  /** A new one: empty, with Supabase's roles and schemas. */
  static async create(shadows: Shadows): Promise<Shadow> {
    return await Shadow.#make(shadows, shadows.pristine);
  }

  static async #make(shadows: Shadows, template: string): Promise<Shadow> {
    count += 1;
    const name = `shadow_${process.pid}_${count}`;
    await onServer(shadows, `create database ${name} template ${template}`);
    return new Shadow(shadows, name);
  }

  get sql(): Sql {
    this.#sql ??= open(this.url);
    return this.#sql;
  }

  /** Ends the connection, so that others may copy the database. */
  async rest(): Promise<void> {
    if (this.#sql) await expectRoom(this.#sql);
    await this.#end();
  }

  async #end(): Promise<void> {
    await this.#sql?.end();
    this.#sql = undefined;
  }

  /** Another one, as this one is now. */
  async copy(): Promise<Shadow> {
    const itself = await readDatabase(this.sql);
    await this.rest();
    const copy = await Shadow.#make(this.#shadows, this.#name);
    // What is said of a database itself is not in its copies.
    const steps = stepsBetween(await readDatabase(copy.sql), itself);
    for (const step of steps) await copy.sql.unsafe(step.join(';\n'));
    await copy.rest();
    return copy;
  }

  async drop(): Promise<void> {
    await this.#end();
    await onServer(
      this.#shadows,
      `do $$ begin if exists (select from pg_database where datname = '${this.#name}' and datistemplate) then
        alter database ${this.#name} is_template false; end if; end $$`,
      `drop database if exists ${this.#name} with (force)`,
    );
    for (const role of madeRoles) {
      // Another shadow may still have something of it: then it goes with that one.
      await onServer(this.#shadows, `drop role if exists ${quote(role)}`).then(
        () => madeRoles.delete(role),
        () => undefined,
      );
    }
  }

  async catalog(): Promise<Catalog> {
    return await readCatalog(this.sql);
  }

  /** Applies versions, oldest first. */
  async apply(versions: readonly Version[]): Promise<void> {
    for (const version of versions) {
      try {
        await this.run(version);
      } catch (error) {
        if (!(error instanceof Problem) || error.code === 'other-database') throw error;
        throw new Problem(
          'version-fails',
          `${error.message} All versions are replayed on an empty database, and this one cannot be.`,
          replayHint(error),
          { cause: error },
        );
      }
    }
  }

  async run(file: SqlFile): Promise<void> {
    await runScript(this.sql, this.#here(await withoutRoles(this.sql, readScript(file))));
    // A setting that a file leaves behind is not there for the next one on a real database either.
    await this.sql.unsafe('reset all; reset role');
  }

  /** Runs models in any order: one that fails for want of another is tried again after it. */
  async load(models: readonly SqlFile[]): Promise<void> {
    await this.#expectRoles(models);
    let left = models;
    while (left.length > 0) {
      const failed: { model: SqlFile; problem: unknown }[] = [];
      for (const model of left) {
        try {
          await this.sql.begin(async (tx) => {
            await tx`set local check_function_bodies = off`;
            await runStatements(tx, this.#here(await withoutRoles(tx, readScript(model))));
          });
        } catch (problem) {
          failed.push({ model, problem });
        }
      }
      if (failed.length === left.length) throw modelFails(failed[0]?.problem);
      left = failed.map(({ model }) => model);
    }
    await this.sql.unsafe('reset all; reset role');
  }

  /** As it runs here, where the database has another name. */
  #here(script: Script): Script {
    return inDatabase(script, { name: this.#name, called: this.#shadows.called });
  }

  /** No version would be written for a role: to compare two databases of one server tells nothing of it. */
  async #expectRoles(models: readonly SqlFile[]): Promise<void> {
    const made = models.flatMap((model) =>
      readScript(model).statements.flatMap(({ tree, line }) => {
        const role = tree.CreateRoleStmt?.role;
        return role === undefined ? [] : [{ role, place: `${model.file}:${line}` }];
      }),
    );
    if (made.length === 0) return;
    const there = await rolesOn(this.sql);
    const missing = made.find(({ role }) => !there.includes(role));
    if (!missing) return;
    throw new Problem(
      'model-fails',
      `${missing.place}: no version makes the role ${readable(missing.role)}, and none is written for it, as roles belong to the server and not to the database.`,
      'Write its create role into a version by hand: migrate --empty "roles". The model may stay as it is.',
    );
  }

  /** Runs a file as it will be run, and measures what each statement, and all together, do to what was there. */
  async measure(
    file: SqlFile,
    { each = true } = {},
  ): Promise<{ statements: Measured[]; net: Effect[]; before: Structure }> {
    const written = await withoutRoles(this.sql, readScript(file));
    const script = this.#here(written);
    const before = await readStructure(this.sql);
    const statements: Measured[] = [];
    let last: Effect[] = [];
    const look = async (sql: Sql | TransactionSql): Promise<void> => {
      const statement = written.statements[statements.length] as Statement;
      // Looking costs more than most statements.
      if (!each || leavesTables(statement)) {
        statements.push({ statement, effects: [] });
        return;
      }
      const effects = compareStructures(before, await readStructure(sql));
      const isNew = (effect: Effect) => !last.some((known) => identity(known) === identity(effect));
      statements.push({ statement, effects: effects.filter(isNew) });
      last = effects;
    };
    if (script.inTransaction) {
      await this.sql.begin((tx) => runStatements(tx, script, () => look(tx)));
    } else {
      await runStatements(this.sql, script, () => look(this.sql));
    }
    await this.sql.unsafe('reset all; reset role');
    return { statements, before, net: compareStructures(before, await readStructure(this.sql)) };
  }
}

/** What compares two shadows has a connection of its own beside the one that is here. */
async function expectRoom(sql: Sql): Promise<void> {
  const [own] = await sql<{ limit: number }[]>`
    select datconnlimit as limit from pg_database where datname = current_database() and datconnlimit between 0 and 1`;
  if (!own) return;
  throw new Problem(
    'not-proven',
    `With a connection limit of ${own.limit} the database cannot be compared: that takes 2 connections.`,
    'Nothing was written. Write this version by hand: migrate --empty "message".',
  );
}

async function rolesOn(sql: Sql | TransactionSql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`select rolname::text as name from pg_roles`;
  return rows.map(({ name }) => name);
}

function identity(effect: Effect): string {
  return [
    effect.kind,
    effect.relation.oid,
    'column' in effect && effect.column.number,
    'to' in effect && `${effect.to.typeId} ${effect.to.type}`,
    'file' in effect && effect.file,
  ].join(' ');
}

function replayHint({ code, hint }: Problem): string {
  // What the embedded Supabase has not is no fault of the version.
  const missing = /The version was taken back whole\. (.*docs\/embedded\.md.*)/.exec(hint ?? '')?.[1];
  if (missing) return missing;
  return code === 'missing-object'
    ? 'Versions stand on nothing but those before them and on what every Supabase project has. Put what is missing into an earlier version.'
    : 'Fix the version, or the one before it that is in its way: the database that it was applied to may have been another one.';
}

function modelFails(problem: unknown): unknown {
  if (!(problem instanceof Problem) || problem.code === 'other-database') return problem;
  return new Problem(
    'model-fails',
    problem.message,
    'Fix the model. Models are run on an empty database, in any order that works.',
    {
      cause: problem,
    },
  );
}

function open(url: string): Sql {
  return postgres(url, { max: 1, onnotice: () => {} });
}

async function onServer(shadows: Shadows, ...statements: string[]): Promise<void> {
  const sql = open(shadows.url('postgres'));
  try {
    for (const statement of statements) await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
