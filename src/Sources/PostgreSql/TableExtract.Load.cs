using BackupDr.Contracts;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Loading into a running server, beside what is there. In the copy everything may be changed, so names are given there: what is
/// dumped is then loaded as it is, in one transaction where it is tables.</summary>
public sealed partial class TableExtract
{
    ServerAddress Live => _options.Live!;
    string Into => _options.Into!;

    /// <summary>Looks before anything is restored, which may take long.</summary>
    static async Task MustBeFree(ServerAddress live, string into, TableExtractOptions options, CancellationToken ct)
    {
        if (into.Length is 0 or > 63 || into.StartsWith("pg_", StringComparison.Ordinal))
            throw new BadInputException("--into", $"'{into}' is no name.", "Write 1 to 63 characters that do not begin with pg_.");
        var isWhole = options.Tables.Count == 0;
        await using var session = await ServerSession.Open(live, ct, isWhole ? null : options.Database);
        var quoted = TableName.Quote(live.User);
        if (isWhole)
        {
            if (await session.Row("select exists (select from pg_database where datname = $1)", row => row.GetBoolean(0), ct, into))
                throw new ConflictException("postgres.exists", $"There is a database {into} on {live}.", "Name one that does not exist.");
            if (!await session.Row("select rolsuper or rolcreatedb from pg_roles where rolname = current_user",
                row => row.GetBoolean(0), ct))
                throw new DeniedException($"{live} may not make databases.", $"ALTER ROLE {quoted} CREATEDB;");
            return;
        }
        foreach (var table in options.Tables)
            if (table with { Schema = into, Name = options.Rename ?? table.Name } is var named
                && await session.Row("select to_regclass($1) is not null", row => row.GetBoolean(0), ct, named.Quoted))
                throw new ConflictException("postgres.exists", $"There is a table {named} on {live}.",
                    "Name another schema with --into, or another name with --as.");
        if (!await session.Row("select has_database_privilege(current_database(), 'create') or coalesce((select "
            + "has_schema_privilege(oid, 'create') from pg_namespace where nspname = $1), false)", row => row.GetBoolean(0), ct, into))
            throw new DeniedException($"{live} may not make a schema in {options.Database}.",
                $"GRANT CREATE ON DATABASE {TableName.Quote(options.Database)} TO {quoted};");
    }

    async Task<List<ExtractedTable>> LoadTables(List<ExtractedTable> tables, CancellationToken ct)
    {
        var named = new List<(ExtractedTable Was, TableName Is)>();
        List<string> patterns = [];
        await using (var session = await ServerSession.Open(Server.Address, ct, _options.Database))
        {
            await Move(session, tables, ct);
            foreach (var table in tables)
                named.Add((table, table.Table with { Schema = Into, Name = _options.Rename ?? table.Table.Name }));
            foreach (var part in await WithPartitions(session, named.Select(one => one.Is), ct)) patterns.AddRange(["-t", part.Quoted]);
        }
        await using var live = await ServerSession.Open(Live, ct, _options.Database);
        var isNew = !await live.Row("select exists (select from pg_namespace where nspname = $1)", row => row.GetBoolean(0), ct, Into);
        if (isNew) await live.Execute($"create schema {TableName.Quote(Into)}", ct);
        var loaded = new List<ExtractedTable>();
        try
        {
            var owners = await Owners(live, named.Select(one => one.Is), ct);
            await Pipe(patterns, [.. owners, "--single-transaction", "-d", TableName.Connection(_options.Database)], ct);
            foreach (var (was, name) in named)
            {
                var there = await Counted(live, name, was.Table, ct);
                if ((there.Rows, there.Indexes) != (was.Rows, was.Indexes))
                    throw new SourceException("postgres.load_differs", $"{name} has {there.Rows} rows and {there.Indexes} indexes; at "
                        + $"that moment {was.Table} had {was.Rows} and {was.Indexes}.",
                        "Something writes to it already: look at it, or drop it.");
                await live.Execute($"analyze {name.Quoted}", ct);
                loaded.Add(there with { LoadedAs = name.ToString() });
            }
        }
        catch when (isNew && loaded.Count == 0)
        {
            // Of what was loaded nothing stays, and an empty schema is of no use.
            if (await live.Row("select not exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                + "where n.nspname = $1)", row => row.GetBoolean(0), CancellationToken.None, Into))
                await live.Execute($"drop schema {TableName.Quote(Into)}", CancellationToken.None);
            throw;
        }
        return loaded;
    }

    /// <summary>Moves tables, partitions and what they own into the schema, in the copy; what points out of them stays behind.</summary>
    async Task Move(ServerSession session, List<ExtractedTable> tables, CancellationToken ct)
    {
        var parts = await WithPartitions(session, tables.Select(table => table.Table), ct);
        var quoted = parts.Select(part => part.Quoted).ToArray();
        foreach (var (table, name, words) in await session.Rows("""
            select conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) from pg_constraint where contype = 'f'
            and conparentid = 0 and conrelid = any (select to_regclass(t)::oid from unnest($1) t)
            and confrelid <> all (select to_regclass(t)::oid from unnest($1) t)
            """, row => (row.GetString(0), row.GetString(1), row.GetString(2)), ct, (object)quoted))
        {
            await session.Execute($"alter table {table} drop constraint {TableName.Quote(name)}", ct);
            _remarks.Add($"The foreign key {name} of {table} was left out, which would hold fast rows of the live table: {words}.");
        }
        if (tables.All(table => table.Table.Schema == Into) && _options.Rename is null) return;
        // In the copy of that moment there may have been such a schema, with other things in it.
        if (tables.All(table => table.Table.Schema != Into))
            await session.Execute($"do $$ begin if exists (select from pg_namespace where nspname = {Literal(Into)}) then execute "
                + $"format('alter schema %I rename to %I', {Literal(Into)}, 'backupdr_' || md5(random()::text)); end if; end $$", ct);
        await session.Execute($"create schema if not exists {TableName.Quote(Into)}", ct);
        foreach (var part in parts)
            if (part.Schema != Into) await session.Execute($"alter table {part.Quoted} set schema {TableName.Quote(Into)}", ct);
        if (_options.Rename is { } rename) await Name(session, tables[0].Table with { Schema = Into }, rename, ct);
    }

    /// <summary>Names a table, and what is named after it: indexes, with the keys that they are of, and sequences.</summary>
    static async Task Name(ServerSession session, TableName table, string rename, CancellationToken ct)
    {
        var named = await session.Rows("""
            select c.relkind::text, c.relname::text from pg_class c where c.oid in (
                select indexrelid from pg_index where indrelid = to_regclass($1)
                union select objid from pg_depend where refobjid = to_regclass($1) and deptype in ('a', 'i')
                    and classid = 'pg_class'::regclass) and c.relkind in ('i', 'I', 'S')
            """, row => (Kind: row.GetString(0), Name: row.GetString(1)), ct, table.Quoted);
        foreach (var (kind, name) in named.Where(one => one.Name.StartsWith(table.Name, StringComparison.Ordinal)))
            await session.Execute($"alter {(kind == "S" ? "sequence" : "index")} {TableName.Quote(table.Schema)}.{TableName.Quote(name)} "
                + $"rename to {TableName.Quote(rename + name[table.Name.Length..])}", ct);
        await session.Execute($"alter table {table.Quoted} rename to {TableName.Quote(rename)}", ct);
    }

    static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>Owners and rights are kept where all of these roles are there, and the role that loads may name them.</summary>
    async Task<string[]> Owners(ServerSession live, IEnumerable<TableName> tables, CancellationToken ct)
    {
        string[] none = ["--no-owner", "--no-privileges"];
        if (!await live.Row("select rolsuper from pg_roles where rolname = current_user", row => row.GetBoolean(0), ct))
        {
            _remarks.Add($"Everything belongs to {Live.User}, without further rights: only a superuser can give it to others.");
            return none;
        }
        await using var session = await ServerSession.Open(Server.Address, ct, _options.Database);
        var roles = await session.Rows("""
            select distinct r.rolname::text from pg_class c left join aclexplode(c.relacl) a on true
            join pg_roles r on r.oid = c.relowner or r.oid = a.grantee where c.oid = any (select to_regclass(t)::oid from unnest($1) t)
            """, row => row.GetString(0), ct, (object)tables.Select(table => table.Quoted).ToArray());
        var missing = new List<string>();
        foreach (var role in roles)
            if (!await live.Row("select exists (select from pg_roles where rolname = $1)", row => row.GetBoolean(0), ct, role))
                missing.Add(role);
        if (missing.Count == 0) return [];
        _remarks.Add($"Owners and rights were left out, because these roles are no more: {string.Join(", ", missing)}.");
        return none;
    }

    async Task<List<ExtractedTable>> LoadDatabase(List<ExtractedTable> tables, CancellationToken ct)
    {
        await using (var session = await ServerSession.Open(Server.Address, ct,
            _options.Database == "postgres" ? "template1" : "postgres"))
            await session.Execute($"alter database {TableName.Quote(_options.Database)} rename to {TableName.Quote(Into)}", ct);
        await using var live = await ServerSession.Open(Live, ct);
        try
        {
            await Pipe(["--create"], ["--create", "-d", TableName.Connection(Live.Database)], ct, Into);
            await using var inside = await ServerSession.Open(Live, ct, Into);
            var loaded = new List<ExtractedTable>();
            foreach (var was in tables)
            {
                var there = await Counted(inside, was.Table, was.Table, ct);
                if ((there.Rows, there.Indexes) != (was.Rows, was.Indexes))
                    throw new SourceException("postgres.load_differs", $"{was.Table} has {there.Rows} rows and {there.Indexes} indexes in "
                        + $"{Into}; at that moment it had {was.Rows} and {was.Indexes}.", "Load it again.");
                loaded.Add(there with { LoadedAs = (was.Table with { Database = Into }).ToString() });
            }
            return loaded;
        }
        catch
        {
            await live.Execute($"drop database if exists {TableName.Quote(Into)}", CancellationToken.None);   // it was not there before
            throw;
        }
    }

    /// <summary>Dumps from the copy straight into the live server; both ends must end well.</summary>
    async Task Pipe(IReadOnlyList<string> dumped, IReadOnlyList<string> loaded, CancellationToken ct, string? database = null)
    {
        await using var dump = ToolProcess.Start(Server.Program("pg_dump"),
            [.. Server.Where, "-Fc", "-Z0", .. dumped, "-d", TableName.Connection(database ?? _options.Database)], pipes: ToolPipes.Output);
        await using var load = ToolProcess.Start(Server.Program("pg_restore"), ["-h", Live.Host, "-p",
            Live.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), "-U", Live.User, "--no-password", "--exit-on-error",
            .. loaded], environment: Live.Password is { } password
                ? new Dictionary<string, string> { ["PGPASSWORD"] = password.Reveal(), ["PGAPPNAME"] = "backupdr" } : null,
            pipes: ToolPipes.Input);
        IOException? broken = null;
        try { await dump.Output.CopyToAsync(load.Input, 1 << 20, ct); }
        catch (IOException e) { broken = e; }   // the loader ended first, and says why below
        load.Input.Close();
        if (await load.End(ct) is not 0 and var code) throw Failed("pg_restore", code, load.Lines);
        if (await dump.End(ct) is not 0 and var other) throw Failed("pg_dump", other, dump.Lines);
        if (broken is not null) throw Failed("pg_restore", 0, load.Lines);
    }
}
