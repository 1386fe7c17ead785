-- Stands in for pgjwt 0.2, written independently: the same functions, for tokens that are signed by a shared secret (HS256, HS384, HS512).
-- pgcrypto is found by the schema that it is in while this is made.
create function @extschema@.url_encode(data bytea)
returns text
language sql
immutable
as $$ select translate(encode(data, 'base64'), E'+/=\n', '-_') $$;

create function @extschema@.url_decode(data text)
returns bytea
language sql
immutable
as $$ select decode(rpad(translate(data, '-_', '+/'), (length(data) + 3) / 4 * 4, '='), 'base64') $$;

do $do$
declare
  pgcrypto text := (
    select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pgcrypto');
begin
  execute format($create$
    create function @extschema@.algorithm_sign(signables text, secret text, algorithm text)
    returns text
    language sql
    immutable
    as $$
      select @extschema@.url_encode(%s.hmac(signables, secret,
        case algorithm when 'HS256' then 'sha256' when 'HS384' then 'sha384' when 'HS512' then 'sha512' else '' end))
    $$ $create$, pgcrypto);
end
$do$;

create function @extschema@.sign(payload json, secret text, algorithm text default 'HS256')
returns text
language sql
immutable
as $$
  select signable || '.' || @extschema@.algorithm_sign(signable, secret, algorithm)
  from (
    select @extschema@.url_encode(convert_to(format('{"alg":"%s","typ":"JWT"}', algorithm), 'utf8'))
      || '.' || @extschema@.url_encode(convert_to(payload::text, 'utf8')) as signable
  ) as parts
$$;

create function @extschema@.try_cast_double(inp text)
returns double precision
language plpgsql
immutable
as $$
begin
  return inp::double precision;
exception when others then
  return null;
end
$$;

create function @extschema@.verify(token text, secret text, algorithm text default 'HS256')
returns table (header json, payload json, valid boolean)
language sql
stable
as $$
  select read.header, read.payload,
    split_part(token, '.', 3) = @extschema@.algorithm_sign(split_part(token, '.', 1) || '.' || split_part(token, '.', 2), secret, algorithm)
    and tstzrange(
      to_timestamp(@extschema@.try_cast_double(read.payload ->> 'nbf')),
      to_timestamp(@extschema@.try_cast_double(read.payload ->> 'exp'))) @> current_timestamp
  from (
    select convert_from(@extschema@.url_decode(split_part(token, '.', 1)), 'utf8')::json as header,
      convert_from(@extschema@.url_decode(split_part(token, '.', 2)), 'utf8')::json as payload
  ) as read
$$;
