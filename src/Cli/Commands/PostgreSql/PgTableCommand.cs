using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg table NAME…</c>.</summary>
sealed class PgTableCommand
{
    readonly Argument<string[]> _tables = new("table")
    {
        Description = "DATABASE.TABLE or DATABASE.SCHEMA.TABLE; several of one database.",
        Arity = ArgumentArity.ZeroOrMore,
    };
    readonly Option<string?> _database = new("--database") { Description = "All of this database, and not tables." };
    readonly Option<string?> _out = new("--out", "-o") { Description = "The file to be, for pg_restore." };
    readonly Option<bool> _plain = new("--plain") { Description = "Statements for psql instead." };
    readonly Option<string?> _into = new("--into")
    {
        Description = "Load it into the running server, beside what is there: for tables a schema of their database, for a database the "
            + "name of one that does not exist.",
    };
    readonly Option<string?> _as = new("--as") { Description = "Name of the one table there." };

    public static Command Make()
    {
        var made = new PgTableCommand();
        var command = new Command("table",
            "Get tables, or a database, as they were at a moment out of a base backup and the log: into a file, or beside the live ones.")
        {
            made._tables, made._database, made._out, made._plain, made._into, made._as,
        };
        var copy = new PgCopyArguments(command);
        var server = new PgServerArguments(command);
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction((given, ct) => made.Run(repository, copy, server, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, PgCopyArguments copy, PgServerArguments server, ParseResult given,
        CancellationToken ct)
    {
        var output = arguments.Output(given);
        var options = Options(copy, server, given);
        using var repository = await arguments.Open(given, ct);
        TableExtractSummary done;
        using (var line = new ProgressLine(output, TimeProvider.System))
            done = await TableExtract.Run(repository, options, line.OfRestore, ct);
        arguments.TellReplicas(given, repository);
        foreach (var remark in done.Restored.Remarks.Concat(done.Remarks)) output.Remark(remark);
        output.Note($"Base backup {done.Restored.BaseId[..8]} and {Output.Count(done.Restored.Segments, "log segment")} were put up in "
            + $"{Output.Time(done.RestoreTime)}, as of {done.Restored.Target}.");
        foreach (var table in done.Tables)
            output.Line($"{table.Table}: {Output.Count(table.Rows, "row")}, {table.Indexes} {(table.Indexes == 1 ? "index" : "indexes")}"
                + (table.LoadedAs is { } name ? $", as {name}." : "."));
        if (options.File is { } file) output.Line($"{file}: {Output.Size(done.Bytes)}, "
            + $"to be loaded with {(options.IsPlain ? "psql -f" : "pg_restore")}.");
        Tell(output, options, done);
        return ExitCodes.Done;
    }

    TableExtractOptions Options(PgCopyArguments copy, PgServerArguments server, ParseResult given)
    {
        var tables = (given.GetValue(_tables) ?? []).Select(text => TableName.Parse(text, "table")).ToList();
        var database = given.GetValue(_database);
        if (tables.Count > 0 == database is not null)
            throw new BadInputException("table", "Say what to get: tables, or one --database.", "For example shop.orders.");
        var into = given.GetValue(_into);
        if (into is not null && given.GetValue(_plain))
            throw new BadInputException("--plain", "--plain goes with --out only.", "Leave it out.");
        return new TableExtractOptions
        {
            Cluster = copy.Options(given),
            Database = database ?? tables[0].Database,
            Tables = tables,
            File = given.GetValue(_out) is { } file ? Path.GetFullPath(file) : null,
            IsPlain = given.GetValue(_plain),
            Into = into,
            Rename = given.GetValue(_as),
            Live = into is null ? null : server.Address(given),
        };
    }

    static void Tell(Output output, TableExtractOptions options, TableExtractSummary done) => output.Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("message_type", "summary");
        json.WriteString("base", done.Restored.BaseId);
        json.WriteString("target", done.Restored.Target.ToString());
        json.WriteString("reached", done.Reached);
        json.WriteStartArray("tables");
        foreach (var table in done.Tables)
        {
            json.WriteStartObject();
            json.WriteString("table", table.Table.ToString());
            json.WriteNumber("rows", table.Rows);
            json.WriteNumber("indexes", table.Indexes);
            if (table.LoadedAs is { } name) json.WriteString("loaded_as", name);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (options.File is { } file)
        {
            json.WriteString("path", file);
            json.WriteNumber("bytes", done.Bytes);
        }
        json.WriteNumber("restore_seconds", done.RestoreTime.TotalSeconds);
        json.WriteEndObject();
    });
}
