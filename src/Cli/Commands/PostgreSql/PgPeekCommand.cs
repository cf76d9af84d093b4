using System.CommandLine;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg peek</c>.</summary>
sealed class PgPeekCommand
{
    readonly Option<string?> _database = new("--database") { Description = "Only this database; the query runs in it." };
    readonly Option<string?> _query = new("--query", "-q")
    {
        Description = "One query, answered with 1000 rows at most. It may read every table, and write nothing.",
    };
    readonly Option<string> _timeout = new("--timeout")
    {
        Description = "Longest query.",
        DefaultValueFactory = _ => "30s",
    };
    readonly Option<string> _count = new("--count-limit")
    {
        Description = "Longest counting of rows, the small tables first; 0s for none.",
        DefaultValueFactory = _ => "60s",
    };

    public static Command Make()
    {
        var made = new PgPeekCommand();
        var command = new Command("peek", "See the tables of a cluster as it was at a moment, with their rows, and ask it one question: it "
            + "is put up where nobody can reach it, and removed.")
        {
            made._database, made._query, made._timeout, made._count,
        };
        var copy = new PgCopyArguments(command);
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction((given, ct) => made.Run(repository, copy, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, PgCopyArguments copy, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var options = new ClusterPeekOptions
        {
            Cluster = copy.Options(given),
            Database = given.GetValue(_database),
            Query = given.GetValue(_query),
            QueryLimit = Sizes.ParseTime(given.GetValue(_timeout)!, "--timeout"),
            CountLimit = Sizes.ParseTime(given.GetValue(_count)!, "--count-limit"),
        };
        using var repository = await arguments.Open(given, ct);
        ClusterPeekReport report;
        using (var line = new ProgressLine(output, TimeProvider.System))
            report = await ClusterPeek.Run(repository, options, line.OfRestore, ct);
        arguments.TellReplicas(given, repository);
        foreach (var remark in report.Restored.Remarks) output.Remark(remark);
        output.Note($"As of {report.Restored.Target}, from base backup {report.Restored.BaseId[..8]} and "
            + $"{Output.Count(report.Restored.Segments, "log segment")}, in {Output.Time(report.RestoreTime)}.");
        if (report.Answer is { } answer) Show(output, answer);
        else Show(output, report);
        Tell(output, report);
        return ExitCodes.Done;
    }

    static void Show(Output output, ClusterPeekReport report)
    {
        foreach (var table in report.Tables)
            output.Line($"{table.Table}  {(table.Rows is { } rows ? Output.Count(rows, "row") : "not counted")}, {Output.Size(table.Bytes)}"
                + (table.Kind == "table" ? "" : $", {table.Kind}"));
        if (report.TableCount > report.Tables.Count) output.Line($"… and {report.TableCount - report.Tables.Count} more.");
        if (report.TableCount == 0) output.Line("There are no tables.");
    }

    static void Show(Output output, PeekedRows answer)
    {
        output.Line(string.Join('\t', answer.Columns));
        foreach (var row in answer.Rows) output.Line(string.Join('\t', row.Select(value => value ?? "\\N")));
        if (answer.IsCut) output.Remark($"There are more than {answer.Rows.Count} rows.");
    }

    static void Tell(Output output, ClusterPeekReport report) => output.Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("message_type", "summary");
        json.WriteString("base", report.Restored.BaseId);
        json.WriteString("target", report.Restored.Target.ToString());
        json.WriteString("reached", report.Reached);
        json.WriteStartArray("databases");
        foreach (var database in report.Databases) json.WriteStringValue(database);
        json.WriteEndArray();
        json.WriteNumber("table_count", report.TableCount);
        json.WriteStartArray("tables");
        foreach (var table in report.Tables)
        {
            json.WriteStartObject();
            json.WriteString("database", table.Table.Database);
            json.WriteString("schema", table.Table.Schema);
            json.WriteString("table", table.Table.Name);
            json.WriteString("kind", table.Kind);
            if (table.Rows is { } rows) json.WriteNumber("rows", rows);
            json.WriteNumber("bytes", table.Bytes);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (report.Answer is { } answer)
        {
            json.WriteStartArray("columns");
            foreach (var column in answer.Columns) json.WriteStringValue(column);
            json.WriteEndArray();
            json.WriteStartArray("rows");
            foreach (var row in answer.Rows)
            {
                json.WriteStartArray();
                foreach (var value in row) json.WriteStringValue(value);
                json.WriteEndArray();
            }
            json.WriteEndArray();
            json.WriteBoolean("cut", answer.IsCut);
        }
        json.WriteNumber("restore_seconds", report.RestoreTime.TotalSeconds);
        json.WriteEndObject();
    });
}
