/** Works out what has to be added to a project, and what there is newer. Writes nothing. */
import { nextVersion } from '../db/project.ts';
import type { Change } from './changes.ts';
import { configuredFunctions, withFunctions } from './config.ts';
import { withVariables } from './environment.ts';
import {
  installedParts,
  isCurrent,
  isEdited,
  type Receipt,
  readReceipt,
  receiptFile,
  receiptText,
} from './installed.ts';
import { expectFree, neededNames } from './names.ts';
import {
  asMigration,
  checksum,
  type FunctionFile,
  type Part,
  readFunctions,
  readMigration,
  readParts,
} from './parts.ts';
import { Problem } from './problem.ts';
import { type Project, places } from './project.ts';
import { change, type Kept, type Work } from './work.ts';

/** What of it is wanted. */
export interface Wish {
  /** Undefined: those that are there, or avatars in a project that has none. */
  plans: readonly string[] | undefined;
  functions: boolean;
}

/** What brings a project to what this package has. */
export function addition(project: Project, wish: Wish): Work {
  const parts = readParts();
  const plans = wantedPlans(project, parts, wish.plans);
  const migrations = migrationsToAdd(project, parts, plans);
  const functions = wish.functions
    ? functionsToAdd(project, plans)
    : { changes: [], kept: [], unchanged: 0, names: [] };
  const environment = change(project, places.environment, withVariables(project.read(places.environment)));
  return {
    // The migrations come last: without the rest they are whole, and the rest is nothing without them.
    changes: [...functions.changes, ...environment, ...migrations.changes],
    kept: [...migrations.kept, ...functions.kept],
    unchanged: migrations.unchanged + functions.unchanged,
    plans: [...plans].sort(),
    functions: functions.names,
  };
}

function wantedPlans(
  project: Project,
  parts: readonly Part[],
  asked: readonly string[] | undefined,
): Set<string> {
  const known = new Set(parts.flatMap(({ plan }) => plan ?? []));
  const unknown = asked?.find((plan) => !known.has(plan));
  if (unknown !== undefined) {
    throw new Problem(
      'no-such-plan',
      `There is no plan ${unknown} in this package.`,
      `Its plans: ${[...known].join(', ')}.`,
    );
  }
  const installed = installedParts(project);
  const present = installed.flatMap(({ name }) => parts.find((part) => part.name === name)?.plan ?? []);
  return new Set([...present, ...(asked ?? (installed.length > 0 ? [] : ['avatars']))]);
}

function migrationsToAdd(
  project: Project,
  parts: readonly Part[],
  plans: ReadonlySet<string>,
): Pick<Work, 'changes' | 'kept' | 'unchanged'> {
  const installed = installedParts(project);
  const newer = installed.find(
    ({ name }) => /^imago_(engine|plan_\w+?)(_\d+)?$/.test(name) && !parts.some((part) => part.name === name),
  );
  if (newer) {
    throw new Problem(
      'newer-engine',
      `${newer.file} is of an Imago that is newer than this package.`,
      'Install the tarball of the newer version: npm install --save-dev ./imago-<version>.tgz',
    );
  }
  const kept: Kept[] = [];
  for (const part of installed) {
    const ours = parts.find(({ name }) => name === part.name);
    if (isEdited(part)) {
      kept.push({ file: part.file, newer: false, reason: 'edited since it was installed' });
    } else if (ours && !isCurrent(part, ours)) {
      kept.push({
        file: part.file,
        newer: true,
        reason:
          'from a build between releases; if it was never pushed, delete it and run this again, else remove Imago (--uninstall) and install it again',
      });
    }
  }
  const wanted = parts.filter(({ plan }) => plan === undefined || plans.has(plan));
  const missing = wanted.filter(({ name }) => !installed.some((part) => part.name === name));
  const theirs = project.migrations.filter(({ file, text }) => !readMigration(baseName(file), text));
  expectFree(neededNames(missing), [...theirs, ...project.models]);
  return { changes: numbered(project, missing), kept, unchanged: installed.length - kept.length };
}

/** The parts as files, each numbered after everything that is there. */
export function numbered(project: Project, parts: readonly Part[]): Change[] {
  const versions: { version: string }[] = [...project.migrations];
  return parts.map((part) => {
    const version = nextVersion(versions);
    versions.push({ version });
    const file = `${places.migrations}/${version}_${part.name}.sql`;
    return { file, before: undefined, after: asMigration(part) };
  });
}

function functionsToAdd(
  project: Project,
  plans: ReadonlySet<string>,
): Omit<Work, 'plans' | 'functions'> & { names: string[] } {
  const { functions, shared } = readFunctions(plans);
  const receipt = readReceipt(project);
  const configured = configuredFunctions(project.config);
  const isOurs = ({ file, text }: FunctionFile): boolean =>
    file in receipt || project.read(below(file)) === text;
  const taken = functions.filter(({ name, files }) => {
    const there = project.exists(below(name));
    return there ? !files.some(isOurs) : configured.has(name);
  });
  if (taken.length > 0 || (project.exists(below('_imago')) && !shared.some(isOurs))) {
    const names = taken.length > 0 ? taken.map(({ name }) => name) : ['_imago'];
    throw new Problem(
      'function-taken',
      `The project has edge functions that Imago needs the names of: ${names.join(', ')}.`,
      'Rename yours, or leave those of Imago out: --no-functions. The command does not need them.',
    );
  }

  const changes: Change[] = [];
  const kept: Kept[] = [];
  let unchanged = 0;
  const next: Receipt = { ...receipt };
  for (const file of [...functions.flatMap(({ files }) => files), ...shared]) {
    const present = project.read(below(file.file));
    const ours = checksum(file.text);
    const isUntouched = present === undefined || checksum(present) === receipt[file.file];
    if (present !== undefined && checksum(present) === ours) {
      unchanged += 1;
      next[file.file] = ours;
    } else if (isUntouched) {
      changes.push({ file: below(file.file), before: present, after: file.text });
      next[file.file] = ours;
    } else {
      const newer = receipt[file.file] !== ours;
      kept.push({
        file: below(file.file),
        newer,
        reason: newer
          ? 'edited since it was installed, and there is a newer one'
          : 'edited since it was installed',
      });
    }
  }
  const names = functions.map(({ name }) => name);
  const unconfigured = names.filter((name) => !configured.has(name));
  changes.push(
    ...change(project, receiptFile, receiptText(next)),
    ...change(project, places.config, withFunctions(project.config, unconfigured)),
  );
  return { changes, kept, unchanged, names };
}

/** The path of a function's file from the project's folder. */
export function below(file: string): string {
  return `${places.functions}/${file}`;
}

function baseName(file: string): string {
  return file.slice(places.migrations.length + 1);
}
