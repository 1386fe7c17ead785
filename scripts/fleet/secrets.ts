/** Where the secret of a member lies, and how its worker gets it. It is handed on to nobody and written nowhere. */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';
import { z } from 'zod';
import { readEnvFile } from '../command/env-file.ts';

export const secretKinds = ['env', 'file', 'vault'] as const;

export const secretPlace = z.object({ secret_kind: z.enum(secretKinds), secret_name: z.string() });

export type SecretPlace = z.output<typeof secretPlace>;

/** It is not where it should lie, as seen from here. */
export class SecretMissing extends Error {
  override readonly name = 'SecretMissing';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Gets it. Throws {@link SecretMissing}, which names the place and never what is in it. */
export async function readSecret({ secret_kind, secret_name }: SecretPlace, control: Sql): Promise<string> {
  switch (secret_kind) {
    case 'env': {
      const value = (process.env[secret_name] ?? written(secret_name))?.trim();
      if (value) return value;
      throw new SecretMissing(
        `The variable ${secret_name} is not set where the worker runs.`,
        `Set ${secret_name} for each worker, and start the workers again.`,
      );
    }
    case 'file': {
      let text: string;
      try {
        text = (await readFile(secret_name, 'utf8')).trim();
      } catch (error) {
        const { code = 'unknown' } = error as NodeJS.ErrnoException;
        throw new SecretMissing(
          `The file ${secret_name} cannot be read where the worker runs (${code}).`,
          'Mount it at this path for each worker, readable by it.',
        );
      }
      if (text !== '') return text;
      throw new SecretMissing(
        `The file ${secret_name} is empty.`,
        'Write the database URL or the key into it.',
      );
    }
    case 'vault': {
      const value = await fromVault(secret_name, control);
      if (value) return value;
      throw new SecretMissing(
        `The Vault of the control database has no secret ${secret_name}.`,
        `In the control database: select vault.create_secret('<secret>', '${secret_name}');`,
      );
    }
  }
}

/** As `.env` has it. */
function written(name: string): string | undefined {
  const file = process.env.IMAGO_ENV_FILE;
  return readEnvFile(file ?? '.env', [name], file !== undefined).get(name)?.value;
}

async function fromVault(name: string, control: Sql): Promise<string | undefined> {
  try {
    const [row] = await control<{ secret: string | null }[]>`
      select decrypted_secret as secret from vault.decrypted_secrets where name = ${name}`;
    return row?.secret?.trim();
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (!/^(3F000|42P01|42501)$/.test(code)) throw error;
    throw new SecretMissing(
      `The control database has no Vault that its role may read (${code}).`,
      'Enable the extension supabase_vault there, or keep the secret in a variable or a file.',
    );
  }
}
