import { expect, test } from 'vitest';

test('the module loads', () => expect(true).toBe(true));
