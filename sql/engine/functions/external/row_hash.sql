create or replace function imago.row_hash(handed jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return encode(sha256(convert_to(handed::text, 'UTF8')), 'hex');
end
$$;
comment on function imago.row_hash(jsonb) is 'By what a row that was handed out is compared with what it is when something comes back; null for none.';
