using System.CommandLine;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr tag</c>.</summary>
sealed class TagCommand
{
    readonly Argument<string[]> _snapshots = SnapshotArguments.Several();
    readonly Option<string[]> _set = new("--set") { Description = "Exactly these tags, comma-separated; may be repeated. '' removes all." };
    readonly Option<string[]> _add = new("--add") { Description = "Tags to add, comma-separated; may be repeated." };
    readonly Option<string[]> _remove = new("--remove") { Description = "Tags to remove, comma-separated; may be repeated." };

    public static Command Make()
    {
        var made = new TagCommand();
        var command = new Command("tag", "Change the tags of snapshots. A changed snapshot has a new id and remembers its first one.")
        {
            made._snapshots, made._set, made._add, made._remove,
        };
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        using var repository = await arguments.Open(given, ct);
        var snapshots = await which.FindAll(repository, given.GetValue(_snapshots) ?? [], given, ct);
        var change = new TagChange(given.GetResult(_set) is null ? null : Split(given.GetValue(_set)), Split(given.GetValue(_add)),
            Split(given.GetValue(_remove)));
        var changed = await SnapshotTags.Execute(repository, [.. snapshots.Select(snapshot => snapshot.Id)], change, ct);
        foreach (var (old, made) in changed)
        {
            var tags = made.Tags.Count == 0 ? "nothing" : string.Join(",", made.Tags);
            output.Line($"{old.ToString()[..8]} is {made.ShortId} now, tagged {tags}");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "changed");
                json.WriteString("old_snapshot_id", old.ToString());
                json.WriteString("new_snapshot_id", made.Id.ToString());
                json.WriteEndObject();
            });
        }
        output.Note($"modified tags on {Output.Count(changed.Count, "snapshot")}");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteNumber("changed_snapshots", changed.Count);
            json.WriteEndObject();
        });
        return ExitCodes.Done;
    }

    static IReadOnlyList<string> Split(string[]? lists)
        => [.. (lists ?? []).SelectMany(list => list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
}
