using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Engine.Replicas;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr snapshots</c>.</summary>
sealed class SnapshotsCommand
{
    readonly Argument<string[]> _snapshots = SnapshotArguments.Several();
    readonly Option<int?> _latest = new("--latest") { Description = "Only the newest N of each host and set of paths." };
    readonly Option<string?> _groupBy = new("--group-by", "-g")
    {
        Description = "A table for each: any of host, paths, tags, by commas.",
    };
    readonly Option<bool> _compact = new("--compact", "-c") { Description = "Without paths." };

    public static Command Make()
    {
        var made = new SnapshotsCommand();
        var command = new Command("snapshots", "List the snapshots of a repository, oldest first.")
        {
            made._snapshots, made._latest, made._groupBy, made._compact,
        };
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        var which = new SnapshotArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var latest = given.GetValue(_latest);
        if (latest < 1) throw new BadInputException("--latest", $"{latest} snapshots cannot be shown.", "Write a number from 1.");
        var grouping = given.GetValue(_groupBy) is { } text ? SnapshotArguments.Grouping(text) : SnapshotGrouping.None;
        using var repository = await arguments.Open(given, ct);
        var snapshots = await which.FindAll(repository, given.GetValue(_snapshots) ?? [], given, ct);
        arguments.TellReplicas(given, repository);
        var isCompact = given.GetValue(_compact);
        if (grouping == SnapshotGrouping.None)
        {
            snapshots = Newest(snapshots, latest);
            Table(output, snapshots, isCompact);
            output.Json(json => List(json, snapshots));
            return ExitCodes.Done;
        }
        IReadOnlyList<IReadOnlyList<Snapshot>> groups = [.. Forget.Groups(snapshots, grouping).Select(group => Newest(group, latest))];
        foreach (var group in groups)
        {
            output.Line($"Snapshots of {Name(group[0], grouping)}:");
            Table(output, group, isCompact);
            output.Line();
        }
        output.Json(json => Groups(json, groups, grouping));
        return ExitCodes.Done;
    }

    /// <summary>Of each host and set of paths the newest ones, oldest first; all where no number is given.</summary>
    static IReadOnlyList<Snapshot> Newest(IReadOnlyList<Snapshot> snapshots, int? count) => count is { } wanted
        ? [.. Forget.Groups(snapshots, SnapshotGrouping.Host | SnapshotGrouping.Paths).SelectMany(group => group.TakeLast(wanted))
            .OrderBy(snapshot => snapshot.Time).ThenBy(snapshot => snapshot.Id)]
        : snapshots;

    static string Name(Snapshot of, SnapshotGrouping grouping)
    {
        var parts = new List<string>();
        if (grouping.HasFlag(SnapshotGrouping.Host)) parts.Add($"host {of.HostName}");
        if (grouping.HasFlag(SnapshotGrouping.Paths)) parts.Add($"paths {string.Join(' ', of.Paths)}");
        if (grouping.HasFlag(SnapshotGrouping.Tags)) parts.Add(of.Tags.Count == 0 ? "no tags" : $"tags {string.Join(',', of.Tags)}");
        return string.Join(", ", parts);
    }

    static void Table(Output output, IReadOnlyList<Snapshot> snapshots, bool isCompact)
    {
        if (snapshots.Count == 0) { output.Line("No snapshots."); return; }
        var host = Math.Max(4, snapshots.Max(snapshot => snapshot.HostName.Length));
        var tags = Math.Max(4, snapshots.Max(snapshot => string.Join(',', snapshot.Tags).Length));
        string Row(string id, string time, string hostName, string tagList, string paths) => (isCompact
            ? $"{id,-8}  {time,-19}  {hostName.PadRight(host)}  {tagList}"
            : $"{id,-8}  {time,-19}  {hostName.PadRight(host)}  {tagList.PadRight(tags)}  {paths}").TrimEnd();
        output.Line(Row("ID", "Time (UTC)", "Host", "Tags", "Paths"));
        foreach (var snapshot in snapshots)
        {
            var time = snapshot.Time.ToDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
            output.Line(Row(snapshot.ShortId, time, snapshot.HostName, string.Join(',', snapshot.Tags), string.Join("  ", snapshot.Paths)));
        }
        output.Note(Output.Count(snapshots.Count, "snapshot"));
    }

    static void List(Utf8JsonWriter json, IReadOnlyList<Snapshot> snapshots)
    {
        json.WriteStartArray();
        foreach (var snapshot in snapshots) Write(json, snapshot);
        json.WriteEndArray();
    }

    /// <summary>restic's form: a list of groups with their key.</summary>
    static void Groups(Utf8JsonWriter json, IReadOnlyList<IReadOnlyList<Snapshot>> groups, SnapshotGrouping grouping)
    {
        json.WriteStartArray();
        foreach (var group in groups)
        {
            json.WriteStartObject();
            json.WriteStartObject("group_key");
            json.WriteString("hostname", grouping.HasFlag(SnapshotGrouping.Host) ? group[0].HostName : "");
            ForgetCommand.Texts(json, "paths", grouping.HasFlag(SnapshotGrouping.Paths) ? group[0].Paths : null);
            ForgetCommand.Texts(json, "tags", grouping.HasFlag(SnapshotGrouping.Tags) && group[0].Tags.Count > 0 ? group[0].Tags : null);
            json.WriteEndObject();
            json.WritePropertyName("snapshots");
            List(json, group);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>The stored JSON with restic's two ids, so that scripts for restic read it.</summary>
    public static void Write(Utf8JsonWriter json, Snapshot snapshot)
    {
        json.WriteStartObject();
        using (var stored = JsonDocument.Parse(SnapshotFile.Write(snapshot)))
            foreach (var member in stored.RootElement.EnumerateObject()) member.WriteTo(json);
        json.WriteString("id", snapshot.Id.ToString());
        json.WriteString("short_id", snapshot.ShortId);
        json.WriteEndObject();
    }
}
