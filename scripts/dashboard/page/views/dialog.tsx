/** Asks before anything is done: says what it will do, and takes what it needs to know. */
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { acts, type Filled, perform } from '../acts.ts';
import { tell } from '../drive.ts';
import type { ActionName } from '../offers.ts';
import { planName, progress } from '../state.ts';

interface Asked {
  name: ActionName;
  entity: string;
  stage: number;
}

const opened = signal<Asked | undefined>(undefined);

export function openDialog(name: ActionName, entity = '', stage = 0): void {
  opened.value = { name, entity, stage };
}

export function ActionDialog() {
  return opened.value ? <Opened key={opened.value.name} {...opened.value} /> : null;
}

function Opened({ name, entity, stage }: Asked) {
  const { title, says, fields, typed, button, isDanger } = acts[name];
  const plan = planName.value ?? '';
  const dialog = useRef<HTMLDialogElement>(null);
  const [filled, setFilled] = useState<Filled>({
    callers: 2,
    force: false,
    entity,
    stage,
    seconds: 10,
  });
  const [confirmed, setConfirmed] = useState('');
  const [isBusy, setBusy] = useState(false);
  const isReady =
    (!typed || confirmed === plan) && (!fields.includes('entity') || filled.entity.trim() !== '');

  useEffect(() => dialog.current?.showModal(), []);

  const close = (): void => {
    opened.value = undefined;
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!isReady || isBusy) return;
    setBusy(true);
    await perform(name, plan, { ...filled, entity: filled.entity.trim() }).catch(tell);
    close();
  };

  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={close}>
      <form onSubmit={submit}>
        <h2 id="dialog-title">
          {title} <span class="muted">· {plan}</span>
        </h2>
        {says(plan).map((line) => (
          <p key={line}>{line}</p>
        ))}
        {fields.includes('entity') && (
          <label class="field">
            Key of the {progress.value?.entity_singular ?? 'entity'}
            <input
              name="entity"
              value={filled.entity}
              required
              spellcheck={false}
              autocomplete="off"
              onInput={({ currentTarget: { value } }) => setFilled({ ...filled, entity: value })}
            />
          </label>
        )}
        {fields.includes('stage') && (progress.value?.stages.length ?? 0) > 1 && (
          <label class="field">
            Stage
            <select
              name="stage"
              value={filled.stage}
              onInput={({ currentTarget: { value } }) => setFilled({ ...filled, stage: Number(value) })}
            >
              <option value={0}>the one that knows the key</option>
              {progress.value?.stages.map(({ stage: number, entity_plural }) => (
                <option key={number} value={number}>
                  {number}. {entity_plural}
                </option>
              ))}
            </select>
          </label>
        )}
        {fields.includes('callers') && (
          <NumberField
            label="Callers at the same time"
            note="Two use a server’s pauses; more help only where it has the processors."
            value={filled.callers}
            least={1}
            most={8}
            onValue={(callers) => setFilled({ ...filled, callers })}
          />
        )}
        {fields.includes('seconds') && (
          <NumberField
            label="Every so many seconds"
            value={filled.seconds}
            least={1}
            most={3600}
            onValue={(seconds) => setFilled({ ...filled, seconds })}
          />
        )}
        {fields.includes('force') && (
          <label class="check">
            <input
              type="checkbox"
              name="force"
              checked={filled.force}
              onInput={({ currentTarget: { checked } }) => setFilled({ ...filled, force: checked })}
            />
            Force: also over what people changed since. Their changes are lost.
          </label>
        )}
        {typed && (
          <label class="field">
            <span>
              Type <code>{plan}</code> to confirm
            </span>
            <input
              name="confirm"
              value={confirmed}
              spellcheck={false}
              autocomplete="off"
              onInput={({ currentTarget: { value } }) => setConfirmed(value)}
            />
          </label>
        )}
        <div class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Leave it
          </button>
          <button type="submit" class={isDanger ? 'danger' : 'primary'} disabled={!isReady || isBusy}>
            {isBusy ? 'Working …' : button}
          </button>
        </div>
      </form>
    </dialog>
  );
}

interface NumberFieldProps {
  label: string;
  note?: string;
  value: number;
  least: number;
  most: number;
  onValue: (value: number) => void;
}

function NumberField({ label, note, value, least, most, onValue }: NumberFieldProps) {
  return (
    <label class="field">
      {label}
      <input
        type="number"
        min={least}
        max={most}
        value={value}
        required
        onInput={({ currentTarget: { valueAsNumber } }) => onValue(valueAsNumber)}
      />
      {note && <span class="note">{note}</span>}
    </label>
  );
}
