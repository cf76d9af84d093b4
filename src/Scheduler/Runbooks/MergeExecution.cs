using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Takes an execution that was carried out from a bundle into the history: its events as they were written down, and its evidence
/// into the chain. Doing it twice is the same as once.</summary>
public sealed class MergeExecution(Postgres db, EvidenceKey key, EvidenceLog evidence)
{
    /// <exception cref="ConflictException">"bundle.altered": it is not as it was written; "bundle.unfinished": it is not over;
    /// "bundle.foreign": it is of another installation; "bundle.unknown": its runbook is not there.</exception>
    public async Task<ExecutionMerged> Handle(Caller caller, MergeExecutionRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookExecute);
        var bytes = Encoding.UTF8.GetBytes(request.Text);
        if (bytes.Length is 0 or > BundleJournal.Largest)
            throw new BadInputException("text", $"It has {bytes.Length} bytes.", "Give the file that the execution left, as it is.");
        var read = await BundleJournal.Read(bytes, sign: null, ct);
        var head = BundleFile.Certified(read.Certificate, key.Fits);
        if (head is null || head.Key != read.PublicKey)
            throw new ConflictException("bundle.foreign", "No bundle of this installation wrote that: its certificate is not signed with "
                + "the key of this installation.", "Merge it where the bundle was made.");
        if (!TypedId.TryParse<ExecutionId>(read.Execution, out var id) || read.Evidence is not { } body)
            throw new ConflictException("bundle.unfinished", "This execution is not over, or its file was cut off.",
                "Execute the bundle again on the machine where it was begun: it goes on where it was. Take the file from there then.");
        var graph = new RunbookGraph(read.Spec);
        var (state, events) = read.Replay(graph);
        return await db.InTransaction(tx => Store(tx, caller, new Merged(id, head, read, body, state, events), ct), ct);
    }

    sealed record Merged(ExecutionId Id, BundleHead Head, ReadJournal Read, EvidenceBody Body, Execution State,
        IReadOnlyList<(ExecutionEvent? Event, IReadOnlyList<string> Told)> Events);

    async Task<ExecutionMerged> Store(Transaction tx, Caller caller, Merged one, CancellationToken ct)
    {
        var (id, head, read, events) = (one.Id, one.Head, one.Read, one.Events);
        // Locked, so that two who merge at once come one after the other.
        if (await tx.First("select 1 from runbook where id = $1 for update", [head.Runbook], row => row.Int(0), ct) == 0)
            throw new ConflictException("bundle.unknown", $"The runbook '{head.Name}' is not in this database.",
                "The database was rebuilt from an export of before it was made. Keep the file: it verifies by itself.");
        var hash = read.Records[^1].Hash;
        if (await tx.First("select coalesce(bundle_hash, '') from execution where id = $1", [id], row => row.Text(0), ct) is { } there)
            return there == hash ? new ExecutionMerged(id, false, events.Count - 1)
                : throw new ConflictException("bundle.foreign", $"{id} is here already, and this file tells another course of it.",
                    "Compare the two files; the signature of both holds, so somebody executed copies of one journal.");
        await Version(tx, caller, head, read, ct);
        var begin = read.Begin;
        await tx.Execute("""
            insert into execution (id, runbook_id, version, mode, phase, outcome, by_whom, why, started_at, ended_at, seq, state, bundle,
                bundle_hash)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            """, [id, head.Runbook, head.Version, begin.Mode, one.State.Phase, one.State.Outcome, begin.By, begin.Why,
                begin.At.UtcDateTime, one.State.EndedAt?.UtcDateTime, (long)events.Count - 1,
                JsonText.Of(one.State, WireJson.Default.Execution), head.Id, hash], ct);
        for (var seq = 0; seq < events.Count; seq++)
            await tx.Execute("insert into execution_event (execution_id, seq, at, event, told) values ($1, $2, $3, $4, $5)",
                [id, (long)seq, (events[seq].Event?.At ?? begin.At).UtcDateTime, new JsonText(events[seq].Event is { } happened
                    ? JsonSerializer.Serialize(happened, WireJson.Default.ExecutionEvent) : "{}"), events[seq].Told.ToArray()], ct);
        await Notifications.Changed(tx, "runbooks", head.Runbook.ToString(), ct);
        await Notifications.Changed(tx, "executions", id.ToString(), ct);
        await evidence.Append(tx, ExecutionEvidence.Kind, head.Runbook.ToString(), one.Body with
        {
            Bundle = head.Id,
            BundleHash = hash,
            BundleKey = EvidenceSignature.Fingerprint(Convert.FromBase64String(head.Key)),
            MergedBy = caller.Name,
            Guard = begin.Guard,
            HostName = begin.Machine,
        }, ct);
        await Audit.Add(tx, caller, "execution.merge", id.ToString(), $"{head.Name}, version {head.Version}, {begin.Mode}, from the bundle "
            + $"{head.Id}, by {begin.By}: {begin.Why}", ct);
        return new ExecutionMerged(id, true, events.Count - 1);
    }

    /// <summary>A database that was rebuilt from an older export may not have the version: it is what the bundle says, which we signed.
    /// </summary>
    static async Task Version(Transaction tx, Caller caller, BundleHead head, ReadJournal read, CancellationToken ct)
    {
        var known = await tx.First("select hash from runbook_version where runbook_id = $1 and version = $2", [head.Runbook, head.Version],
            row => Convert.ToHexStringLower(row.Bytes(0)), ct);
        if (known == head.Hash) return;
        if (known is not null || Convert.ToHexStringLower(RunbookTable.HashOf(read.Spec)) != head.Hash)
            throw new ConflictException("bundle.unknown", $"Version {head.Version} of '{head.Name}' is another one here than in the "
                + "bundle.",
                "The database was rebuilt, and the runbook was edited since. Keep the file: it verifies by itself.");
        await RunbookTable.AddVersion(tx, head.Runbook, head.Version, caller, read.Spec, ct);
        await tx.Execute("update runbook set version = greatest(version, $2) where id = $1", [head.Runbook, head.Version], ct);
    }
}
