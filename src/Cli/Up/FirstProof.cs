using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Cli.Up;

/// <summary>What <c>up</c> shows at the end.</summary>
sealed record UpOutcome
{
    public required Item Item { get; init; }
    public required Run Backup { get; init; }
    public required RecoveryPoint Point { get; init; }
    public required DrillResult Proof { get; init; }
    public required RepositoryEscape Repository { get; init; }
}

/// <summary>The way from a running node to a proven recovery point, over the public API.</summary>
sealed class FirstProof(ApiClient api, DataFolder data, Output output, TimeProvider clock)
{
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(400), HostPatience = TimeSpan.FromSeconds(60);

    /// <summary>Waits until the agent of this machine has spoken.</summary>
    public async Task<HostId> AwaitHost(Func<bool> agentRuns, Func<string> lastWords, CancellationToken ct)
    {
        var file = Path.Combine(data.Agent, "agent.json");
        using var membership = JsonDocument.Parse(await File.ReadAllBytesAsync(file, ct));
        var id = HostId.Parse(membership.RootElement.GetProperty("host").GetString() ?? "");
        var begun = clock.GetTimestamp();
        while ((await api.Host(id, ct)).State != HostState.Online)
        {
            if (clock.GetElapsedTime(begun) > HostPatience) throw new UnavailableException("up.agent",
                $"The agent did not report within {HostPatience.TotalSeconds:0} seconds{(agentRuns() ? "" : " and does not run")}: "
                + $"{lastWords()}", $"Its log is in {data.Logs}.");
            await Task.Delay(LookEvery, clock, ct);
        }
        return id;
    }

    /// <summary>Protects a path if it is not yet, takes a backup of it and proves it.</summary>
    /// <exception cref="BackupDrException">The backup failed.</exception>
    public async Task<UpOutcome> Protect(HostId host, FilePath path, CancellationToken ct)
    {
        var location = await api.CreateLocation(new CreateLocationRequest
        {
            Name = "This machine",
            Path =
            FilePath.FromText(data.Repositories),
            Host = host
        }, ct);
        var item = await Find(host, path, ct);
        if (item is null)
        {
            await api.CreatePolicy(new CreatePolicyRequest
            {
                Location = location.Id,
                Items =
                    [new NewItem(host, new SourceSpec { Kind = SourceKind.Files, Files = new FilesSpec { Paths = [path] } })],
            }, ct);
            item = await Find(host, path, ct) ?? throw new UnavailableException("up.policy",
                $"The policy for {path} was made, but its item is not listed.");
        }
        var backup = await Backup(item, ct);
        var point = await api.Point(backup.RecoveryPoint ?? throw new UnavailableException("up.backup",
            $"The backup of {path} ended as {backup.State} without a recovery point."), ct);
        var proof = await Prove(item, point, ct);
        return new UpOutcome
        {
            Item = item,
            Backup = backup,
            Point = point,
            Proof = proof,
            Repository =
            await api.Reveal(item.Repository, ct)
        };
    }

    async Task<Item?> Find(HostId host, FilePath path, CancellationToken ct)
        => (await api.Items(ct)).FirstOrDefault(item => item.Host == host && item.Source.Files is { } files && files.Paths.Count == 1
            && files.Paths[0] == path);

    /// <summary>Follows the backup that is under way, also one from before a crash; starts one where there is none.</summary>
    async Task<Run> Backup(Item item, CancellationToken ct)
    {
        var runs = (await api.Runs(item.Id, ct)).Runs.Where(run => run.Kind == JobKind.Backup).ToList();
        var active = runs.FirstOrDefault(run => run.FinishedAt is null);
        // A first backup that ended while we asked counts as ours.
        var id = active?.Id ?? (runs.Count == 1 && runs[0].State is RunState.Complete or RunState.Incomplete ? runs[0].Id
            : (await api.RunPolicy(item.Policy, ct)).Runs[0]);
        if (active is { Epoch: > 0 }) output.Note($"Going on with the backup of {item.Name} that was interrupted (its lease ends within "
            + $"30 seconds).");
        var run = await Follow(id, $"Backing up {item.Name}", ct);
        return run.State is RunState.Complete or RunState.Incomplete ? run : throw Ended(run);
    }

    async Task<DrillResult> Prove(Item item, RecoveryPoint point, CancellationToken ct)
    {
        var drill = (await api.Runs(item.Id, ct)).Runs.FirstOrDefault(run => run.Kind == JobKind.Drill && run.RecoveryPoint == point.Id
            && run.State is not (RunState.Failed or RunState.Cancelled));
        var run = await Follow(drill?.Id ?? (await api.Drill(point.Id, ct)).Run, "Proving a restore", ct);
        return run.Result?.Drill ?? new DrillResult
        {
            Result = run.State == RunState.Cancelled ? ProofResult.Skipped : ProofResult.Failed,
            Reason = run.Result?.Error?.Message ?? $"The drill ended as {run.State}."
        };
    }

    async Task<Run> Follow(RunId id, string what, CancellationToken ct)
    {
        output.Note(what);
        using var line = new ProgressLine(output, clock);
        var progress = line.Of<Run>(run => new Step(run.Progress?.FilesDone ?? 0, run.Progress?.FilesTotal, run.Progress?.BytesDone ?? 0,
            run.Progress?.BytesTotal));
        while (true)
        {
            var run = await api.Run(id, ct);
            if (run.FinishedAt is not null) return run;
            if (run.Progress is not null) progress?.Report(run);
            await Task.Delay(LookEvery, clock, ct);
        }
    }

    static UnavailableException Ended(Run run) => new(run.Result?.Error?.Code ?? "up.backup",
        $"{run.Title} ended as {run.State}: {run.Result?.Error?.Message ?? "see its log in the console"}", run.Result?.Error?.Hint);
}
