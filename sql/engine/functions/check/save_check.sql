create or replace function imago.save_check(item imago.validation_check)
returns void
language sql
volatile
set search_path = ''
as $$
  update imago.validation_check i set
    done = item.done, cursor_key = item.cursor_key, size = item.size, piece_ms = item.piece_ms, in_pieces = item.in_pieces, checked = item.checked,
    total = item.total, found = item.found, remaining = item.remaining, fixed = item.fixed, fixes_failed = item.fixes_failed,
    written = item.written, deferrals = item.deferrals, fix_size = item.fix_size, keys = item.keys, findings = item.findings,
    facts = item.facts, error = item.error
  where i.validation = item.validation and i.plan_check = item.plan_check
$$;
comment on function imago.save_check(imago.validation_check) is 'Writes down how far a validation is with a check.';
