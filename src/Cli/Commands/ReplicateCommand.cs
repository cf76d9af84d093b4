using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine.Replicas;
using BackupDr.Storage;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr replicate --to REPOSITORY</c>.</summary>
sealed class ReplicateCommand
{
    readonly Option<string[]> _to = new("--to")
    {
        Description = "A further place of the repository, made where there is nothing yet; may be given several times.",
        Required = true,
        Arity = ArgumentArity.OneOrMore,
    };
    readonly Option<bool> _refill = new("--refill")
    {
        Description = "Fill the place of --repo from the others where it was emptied. Else an address without a repository is an error.",
    };
    readonly Option<bool> _readData = new("--read-data")
    {
        Description = "Read every object at every place, and put right what does not match its name.",
    };
    readonly Option<bool> _dryRun = new("--dry-run", "-n") { Description = "Only say what each place lacks." };

    public static Command Make()
    {
        var made = new ReplicateCommand();
        var command = new Command("replicate",
            "Bring all places of a repository to the same state, by name and in both directions. Exit code 3 where they are not equal "
            + "afterwards.")
        {
            made._to, made._refill, made._readData, made._dryRun,
        };
        var repository = new RepositoryArguments(command);
        command.SetAction((given, ct) => made.Run(repository, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        string[] urls = [arguments.Url(given), .. given.GetValue(_to)!];
        if (urls.Distinct(StringComparer.Ordinal).Count() != urls.Length)
            throw new BadInputException("--to", "The same address is given twice.", "Name each place once.");
        var isPreview = given.GetValue(_dryRun);
        using var password = arguments.Password(given);
        var places = new List<IObjectStore>();
        try
        {
            foreach (var url in urls) places.Add(arguments.Store(given, url));
            ReplicationSummary summary;
            using (var line = new ProgressLine(output, TimeProvider.System))
                summary = await Replication.Execute(places, password, arguments.Telling(given), new ReplicationRequest
                {
                    IsPreview = isPreview,
                    RefillsFirst = given.GetValue(_refill),
                    ReadsData = given.GetValue(_readData),
                    Progress = line.Of<ReplicationProgress>(
                        at => new Step(at.ObjectsDone, at.ObjectsTotal, at.BytesDone, at.BytesTotal, "objects")),
                }, ct);
            foreach (var place in summary.Places) Tell(output, place, isPreview);
            foreach (var problem in summary.Damaged) output.Problem(problem.Path, problem.Message);
            return summary.IsEqual ? ExitCodes.Done : ExitCodes.Incomplete;
        }
        finally
        {
            foreach (var place in places) await place.DisposeAsync();
        }
    }

    static void Tell(Output output, ReplicatedPlace place, bool isPreview)
    {
        var words = new List<string>
        {
            place.Objects == 0 ? "lacked nothing"
                : $"{(isPreview ? "lacks" : "got")} {Output.Count(place.Objects, "object")} ({Output.Size(place.Bytes)})",
        };
        if (place.WasEmpty) words.Insert(0, isPreview ? "has no repository" : "was empty");
        if (place.Healed > 0) words.Add($"{Output.Count(place.Healed, "damaged object is", "damaged objects are")} right again");
        if (place.Removed > 0) words.Add($"{Output.Count(place.Removed, "object")} removed");
        output.Line(place.Problem is null ? $"{place.Url}: {string.Join(", ", words)}; {Output.Count(place.Snapshots.Count, "snapshot")}"
            : $"{place.Url}: not done: {place.Problem}");
        if (place.NotRemoved is { } left) output.Line($"{place.Url}: {left}");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "replicated");
            json.WriteString("place", place.Url);
            json.WriteBoolean("was_empty", place.WasEmpty);
            json.WriteNumber("objects", place.Objects);
            json.WriteNumber("bytes", place.Bytes);
            json.WriteNumber("healed", place.Healed);
            json.WriteNumber("removed", place.Removed);
            json.WriteNumber("snapshots", place.Snapshots.Count);
            if (place.Problem is { } problem) json.WriteString("problem", problem);
            if (place.NotRemoved is { } rest) json.WriteString("not_removed", rest);
            json.WriteEndObject();
        });
    }
}
