using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.ObjectLocks;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.MariaDb;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr forget</c>: restic's rules and flags, and a floor.</summary>
sealed class ForgetCommand
{
    readonly Argument<string[]> _ids = new("SNAPSHOT")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "Snapshots to remove, whatever the rules say.",
    };
    readonly Option<string?> _last = Count("last", "-l", "the newest N");
    readonly Option<string?> _hourly = Count("hourly", "-H", "the newest of each of N hours");
    readonly Option<string?> _daily = Count("daily", "-d", "the newest of each of N days");
    readonly Option<string?> _weekly = Count("weekly", "-w", "the newest of each of N weeks");
    readonly Option<string?> _monthly = Count("monthly", "-m", "the newest of each of N months");
    readonly Option<string?> _yearly = Count("yearly", "-y", "the newest of each of N years");
    readonly Option<string?> _within = new("--keep-within")
    {
        Description = "Keep all that are younger than this before the newest, for example 1y5m7d2h.",
    };
    readonly List<(KeepUnit Unit, Option<string?> Option)> _withinEach = [.. new[]
    {
        KeepUnit.Hourly, KeepUnit.Daily, KeepUnit.Weekly, KeepUnit.Monthly, KeepUnit.Yearly,
    }.Select(unit => (unit, new Option<string?>($"--keep-within-{unit.ToString().ToLowerInvariant()}")
    {
        Description = $"Keep {unit.ToString().ToLowerInvariant()} ones that are younger than this before the newest.",
    }))];
    readonly Option<string[]> _keepTags = new("--keep-tag")
    {
        Description = "Keep those with all of these tags (commas); may be repeated.",
    };
    readonly Option<int> _atLeast = new("--keep-at-least") { Description = "Never leave fewer than N in a group." };
    readonly Option<string> _groupBy = new("--group-by", "-g")
    {
        Description = "What rules count apart: any of host, paths, tags, by commas; empty is all together.",
        DefaultValueFactory = _ => "host,paths",
    };
    readonly Option<bool> _dryRun = new("--dry-run", "-n") { Description = "Only tell what would be done." };
    readonly Option<bool> _prune = new("--prune") { Description = "Give back the space at once, where anything was removed." };

    static Option<string?> Count(string name, string letter, string what)
        => new($"--keep-{name}", letter) { Description = $"Keep {what}; 'unlimited' for all." };

    public static Command Make()
    {
        var made = new ForgetCommand();
        var command = new Command("forget", "Remove snapshots by rules, or those that are named.")
        {
            made._ids, made._last, made._hourly, made._daily, made._weekly, made._monthly, made._yearly, made._within, made._keepTags,
            made._atLeast, made._groupBy, made._dryRun, made._prune,
        };
        foreach (var (_, option) in made._withinEach) command.Options.Add(option);
        var prune = new PruneCommand(command);
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command, hasLetter: false);
        command.SetAction((given, ct) => made.Run(repository, which, prune, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, PruneCommand prune, ParseResult given,
        CancellationToken ct)
    {
        var output = arguments.Output(given);
        var isDryRun = given.GetValue(_dryRun);
        var (rules, grouping) = (Rules(given), SnapshotArguments.Grouping(given.GetValue(_groupBy)!));
        var request = prune.Request(given, isDryRun);
        using var repository = await arguments.Open(given, ct);
        List<Snapshot> removed = [];
        foreach (var id in given.GetValue(_ids) ?? []) removed.Add(await repository.FindSnapshot(id, which.Filter(given), ct));
        if (removed.FirstOrDefault(IsLog) is { } log)
            throw new BadInputException("id", $"The snapshot {log.ShortId} is a part of a database's log: without it nothing behind "
                + "it can be restored.", $"Use 'backupdr {Verb(log)} forget', which removes log that no base backup needs.");
        if (removed.Count > 0)
            foreach (var snapshot in removed) output.Note($"remove {Line(snapshot)}");
        else
        {
            if (rules.IsEmpty) output.Line("No rule was given, so nothing is removed. See 'backupdr forget --help'.");
            var all = await repository.Snapshots(which.Filter(given), ct);
            if (all.Count(IsLog) is > 0 and var logs)
                output.Note($"{Output.Count(logs, "snapshot")} of databases' logs are left alone: 'backupdr "
                    + $"{Verb(all.First(IsLog))} forget' removes them.");
            var plan = Forget.Plan([.. all.Where(snapshot => !IsLog(snapshot))], rules, grouping, TimeProvider.System.GetUtcNow());
            foreach (var group in plan) Tell(output, group);
            output.Json(json => Write(json, plan));
            removed = [.. plan.SelectMany(group => group.Snapshots).Where(judged => !judged.Verdict.Keeps)
                .Select(judged => judged.Snapshot)];
        }
        if (!isDryRun && removed.Count > 0)
        {
            List<BlobId> ids = [.. removed.Select(snapshot => snapshot.Id)];
            var retained = await Forget.Retained(repository, ids, ct);
            var count = await Forget.Remove(repository, ids, ct);
            output.Line($"Removed {Output.Count(count, "snapshot")}.");
            Tell(output, retained);
        }
        else output.Line(isDryRun ? $"Would remove {Output.Count(removed.Count, "snapshot")}. Nothing was changed."
            : "Removed no snapshots.");
        if (given.GetValue(_prune) && (removed.Count > 0 || isDryRun))
            PruneCommand.Tell(output, request, await PruneCommand.Run(output, repository, request, ct));
        return ExitCodes.Done;
    }

    // A rule counts snapshots, and of a log each one is needed by those behind it.
    static bool IsLog(Snapshot snapshot)
        => snapshot.Tags.Contains(ClusterManifest.WalTag) || snapshot.Tags.Contains(MariaDbManifest.BinlogTag);

    static string Verb(Snapshot log) => log.Tags.Contains(ClusterManifest.WalTag) ? "pg" : "mariadb";

    KeepRules Rules(ParseResult given)
    {
        var rules = new KeepRules
        {
            Last = Number(given, _last),
            Hourly = Number(given, _hourly),
            Daily = Number(given, _daily),
            Weekly = Number(given, _weekly),
            Monthly = Number(given, _monthly),
            Yearly = Number(given, _yearly),
            Within = Span(given, _within),
            WithinEach = _withinEach.ToDictionary(each => each.Unit, each => Span(given, each.Option)),
            Tags = [.. (given.GetValue(_keepTags) ?? []).Select(list => list.Split(',', StringSplitOptions.RemoveEmptyEntries))],
            Floor = given.GetValue(_atLeast),
        };
        rules.Validate();
        return rules;
    }

    static int Number(ParseResult given, Option<string?> option)
        => given.GetValue(option) switch
        {
            null => 0,
            "unlimited" => KeepRules.Unlimited,
            var text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
                : throw new BadInputException(option.Name, $"'{text}' is no number of points.", "Write a number, or 'unlimited' for all."),
        };

    static RetentionSpan Span(ParseResult given, Option<string?> option)
        => given.GetValue(option) is { } text ? RetentionSpan.Parse(text, option.Name) : default;

    static string Line(Snapshot snapshot)
    {
        var time = snapshot.Time.ToDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        return $"{snapshot.ShortId}  {time}  {snapshot.HostName}  {string.Join(' ', snapshot.Paths)}";
    }

    /// <summary>The store hides what is locked, and keeps it.</summary>
    static void Tell(Output output, LockedSpace retained)
    {
        if (retained.Last is not { } last) return;
        output.Line($"{Output.Count(retained.Objects, "of them is", "of them are")} locked until {last:u}: hidden from now on, and kept "
            + "by the store until then.");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "forget_locked");
            json.WriteNumber("snapshots", retained.Objects);
            json.WriteString("locked_last", last);
            json.WriteEndObject();
        });
    }

    static void Tell(Output output, SnapshotGroup group)
    {
        var name = new[] { group.HostName, group.Paths is { } paths ? string.Join(' ', paths) : null,
            group.Tags is { } tags ? string.Join(',', tags) : null }.Where(part => part is not null);
        output.Note($"Snapshots of {(name.Any() ? string.Join(", ", name) : "all")}:");
        foreach (var judged in group.Snapshots)
            output.Note(judged.Verdict.Keeps ? $"  keep    {Line(judged.Snapshot)}  ({string.Join(", ", judged.Verdict.Reasons)})"
                : $"  remove  {Line(judged.Snapshot)}");
    }

    /// <summary>restic's form: a list of groups, each with keep, remove and reasons.</summary>
    static void Write(Utf8JsonWriter json, IReadOnlyList<SnapshotGroup> plan)
    {
        json.WriteStartArray();
        foreach (var group in plan)
        {
            json.WriteStartObject();
            Texts(json, "tags", group.Tags);
            json.WriteString("host", group.HostName ?? "");
            Texts(json, "paths", group.Paths);
            foreach (var keeps in (bool[])[true, false])
            {
                json.WriteStartArray(keeps ? "keep" : "remove");
                foreach (var judged in group.Snapshots.Where(judged => judged.Verdict.Keeps == keeps))
                    SnapshotsCommand.Write(json, judged.Snapshot);
                json.WriteEndArray();
            }
            json.WriteStartArray("reasons");
            foreach (var judged in group.Snapshots.Where(judged => judged.Verdict.Keeps))
            {
                json.WriteStartObject();
                json.WritePropertyName("snapshot");
                SnapshotsCommand.Write(json, judged.Snapshot);
                Texts(json, "matches", judged.Verdict.Reasons);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    internal static void Texts(Utf8JsonWriter json, string name, IReadOnlyList<string>? texts)
    {
        if (texts is null) { json.WriteNull(name); return; }
        json.WriteStartArray(name);
        foreach (var text in texts) json.WriteStringValue(text);
        json.WriteEndArray();
    }
}
