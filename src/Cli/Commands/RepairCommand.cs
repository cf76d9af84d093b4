using System.CommandLine;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr repair objects|index|packs|snapshots</c>.</summary>
static class RepairCommand
{
    public static Command Make() => new("repair", "Mend a damaged repository. What is replaced goes into the trash for 30 days.")
    {
        Objects(), Index(), Packs(), Snapshots(),
    };

    static Command Objects()
    {
        var command = new Command("objects",
            "Bring every damaged object back from a replica: keys, config, snapshots, index and packs.");
        var from = new Option<string>("--from")
        {
            Description = "A replica of the repository: a copy of its files, for example by rsync or rclone.",
            Required = true,
        };
        command.Options.Add(from);
        var arguments = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            await using var replica = arguments.Store(given, given.GetValue(from)!);
            ReplicaRepair done;
            using (var progress = new ProgressLine(output, TimeProvider.System))
                done = await arguments.OpenDamaged(given, (store, password, options) => RepairFromReplica.Execute(store, replica,
                    password, options, progress.Of<CheckProgress>(at => new Step(at.PacksDone, at.PacksTotal, 0, null, "packs")), ct));
            foreach (var name in done.Healed) output.Line($"healed: {name}");
            foreach (var name in done.NotHealed) output.Line($"not healed: {name}: the replica has no copy that is right");
            foreach (var blob in done.Packs.LostBlobs) output.Line($"lost: {blob}");
            output.Line($"{Output.Count(done.Healed.Count, "object")} came back from the replica.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "objects_repaired");
                json.WriteNumber("healed", done.Healed.Count);
                json.WriteNumber("not_healed", done.NotHealed.Count);
                json.WriteNumber("lost_blobs", done.Packs.LostBlobs.Count);
                json.WriteEndObject();
            });
            return done.NotHealed.Count + done.Packs.LostBlobs.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    static Command Index()
    {
        var command = new Command("index", "Make the index name exactly the packs that are there.");
        var arguments = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            return Tell(output, await RepairIndex.Execute(repository, ct));
        });
        return command;
    }

    static int Tell(Output output, IndexRepair done)
    {
        foreach (var problem in done.Unreadable) output.Line($"not readable: {problem}");
        output.Line($"The index has {Output.Count(done.AddedPacks, "pack")} more and {done.DroppedPacks} that were gone fewer; "
            + $"{Output.Count(done.ReplacedFiles, "index file was", "index files were")} replaced.");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "index_repaired");
            json.WriteNumber("added_packs", done.AddedPacks);
            json.WriteNumber("dropped_packs", done.DroppedPacks);
            json.WriteNumber("replaced_files", done.ReplacedFiles);
            json.WriteNumber("unreadable_packs", done.Unreadable.Count);
            json.WriteEndObject();
        });
        return done.Unreadable.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    static Command Packs()
    {
        var command = new Command("packs", "Read every pack; bring damaged ones back from a replica, or save what still reads.");
        var from = new Option<string?>("--from")
        {
            Description = "A replica of the repository; its password is not needed. Without it what reads is saved into new packs.",
        };
        command.Options.Add(from);
        var arguments = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            await using var replica = given.GetValue(from) is { } url ? arguments.Store(given, url) : null;
            PackRepair done;
            using (var progress = new ProgressLine(output, TimeProvider.System))
                done = await RepairPacks.Execute(repository, replica,
                    progress.Of<CheckProgress>(at => new Step(at.PacksDone, at.PacksTotal, 0, null, "packs")), ct);
            foreach (var blob in done.LostBlobs) output.Line($"lost: {blob}");
            output.Line($"{Output.Count(done.Healed.Count, "pack")} came back from the replica; "
                + $"what reads of {done.Salvaged.Count} was saved; {Output.Count(done.LostBlobs.Count, "blob is", "blobs are")} lost.");
            if (done.LostBlobs.Count > 0) output.Line("Run 'backupdr repair snapshots' to give snapshots a copy that reads.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "packs_repaired");
                json.WriteNumber("healed", done.Healed.Count);
                json.WriteNumber("salvaged", done.Salvaged.Count);
                json.WriteNumber("lost_blobs", done.LostBlobs.Count);
                json.WriteEndObject();
            });
            return done.LostBlobs.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    static Command Snapshots()
    {
        var command = new Command("snapshots", "Give damaged snapshots a copy without what is lost; it has the tag 'repaired'.");
        var forget = new Option<bool>("--forget") { Description = "Move the damaged snapshots into the trash." };
        command.Options.Add(forget);
        var arguments = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            var repaired = await RepairSnapshots.Execute(repository, given.GetValue(forget), ct);
            foreach (var snapshot in repaired)
            {
                foreach (var loss in snapshot.Losses) output.Line($"lost: {snapshot.Old.ToString()[..8]} {loss}");
                output.Line($"snapshot {snapshot.Old.ToString()[..8]} has the copy {snapshot.New.ToString()[..8]}");
            }
            output.Line($"{Output.Count(repaired.Count, "snapshot was", "snapshots were")} repaired.");
            output.Json(json =>
            {
                json.WriteStartArray();
                foreach (var snapshot in repaired)
                {
                    json.WriteStartObject();
                    json.WriteString("old", snapshot.Old.ToString());
                    json.WriteString("new", snapshot.New.ToString());
                    json.WriteNumber("losses", snapshot.Losses.Count);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            });
            return ExitCodes.Done;
        });
        return command;
    }
}
