using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Runbooks and their versions.</summary>
static class RunbookTable
{
    /// <summary>Longest name; most problems that a refusal tells; most versions that are listed.</summary>
    const int LongestName = 100, MostProblems = 20, MostVersions = 200;

    const string Select = "select r.id, r.name, r.version, v.at, v.by_whom, v.spec, r.problems, r.evaluated_at, r.bundle_version, "
        + "r.bundle_at, r.bundle_by from runbook r "
        + "join runbook_version v on v.runbook_id = r.id and v.version = r.version where r.removed_at is null";

    public static async Task<IReadOnlyList<Runbook>> List(SqlSource db, CancellationToken ct)
    {
        var found = await db.Query($"{Select} order by lower(r.name)", [], Read, ct);
        var executed = await Executed(db, null, ct);
        return [.. found.Select(one => With(one, executed))];
    }

    /// <exception cref="NotFoundException">There is none, or it was removed.</exception>
    public static async Task<Runbook> Get(SqlSource db, RunbookId id, CancellationToken ct)
        => With(await db.First($"{Select} and r.id = $1", [id], Read, ct) ?? throw NotThere(), await Executed(db, id, ct));

    internal static NotFoundException NotThere() => new("A runbook with this id");

    /// <summary>What the states of runbooks are made of: what is open, the last rehearsal that ended, and the versions of now.</summary>
    sealed record Standing(ILookup<RunbookId, ExecutionSummary> Executions, IReadOnlyDictionary<RunbookId, int> Versions);

    static async Task<Standing> Executed(SqlSource db, RunbookId? id, CancellationToken ct)
    {
        var found = await db.Query($"""
            {ExecutionTable.Select} where e.id in (
                select id from execution where phase <> 'Ended' and ($1::uuid is null or runbook_id = $1)
                union all select l.id from runbook b cross join lateral (select id from execution x where x.runbook_id = b.id
                    and x.mode = 'Rehearsal' and x.phase = 'Ended' order by x.started_at desc limit 1) l
                    where b.removed_at is null and ($1::uuid is null or b.id = $1))
            order by e.mode = 'Rehearsal', e.started_at desc
            """, [id?.Value], ExecutionTable.Read, ct);
        var versions = found.All(one => one.Parts is null) ? [] : await db.Query("select id, version from runbook where removed_at is null",
            [], row => (Id: row.Id<RunbookId>(0), Version: row.Int(1)), ct);
        return new Standing(found.ToLookup(one => one.Runbook), versions.ToDictionary(one => one.Id, one => one.Version));
    }

    static Runbook With(Runbook runbook, Standing standing)
    {
        var last = standing.Executions[runbook.Id].FirstOrDefault(one => one.Phase == ExecutionPhase.Ended);
        return runbook with
        {
            LastRehearsal = last,
            Open = [.. standing.Executions[runbook.Id].Where(one => one.Phase != ExecutionPhase.Ended)],
            State = runbook.EvaluatedAt is null ? RunbookState.NotEvaluated : runbook.Problems.Count > 0 ? RunbookState.Problem
                : last is { Outcome: ExecutionOutcome.Succeeded } && last.Version == runbook.Version
                    && (last.Parts ?? []).All(part => standing.Versions.GetValueOrDefault(part.Runbook) == part.Version)
                ? RunbookState.Ready : RunbookState.NeedsRehearsal,
        };
    }

    static Runbook Read(Row row) => new()
    {
        Id = row.Id<RunbookId>(0),
        Name = row.Text(1),
        Version = row.Int(2),
        ChangedAt = row.Time(3),
        ChangedBy = row.Text(4),
        Spec = row.Json("spec", WireJson.Default.RunbookSpec)!,
        Problems = row.Json("problems", WireJson.Default.IReadOnlyListRunbookProblem) ?? [],
        EvaluatedAt = row.TimeOrNull("evaluated_at"),
        State = RunbookState.NotEvaluated,
        Bundle = row.IsNull(8) ? null : new NewestBundle(row.Int(8), row.Time(9), row.Text(10)),
    };

    /// <summary>What cannot be executed as it is written, or not by this version.</summary>
    public static IReadOnlyList<RunbookProblem> Problems(RunbookSpec spec, StepExecutors executors)
        => [.. RunbookProblems.Of(spec), .. executors.Missing(spec)];

    /// <summary>Refuses that.</summary>
    /// <exception cref="BadInputException">The message has a line for each problem.</exception>
    public static void Check(RunbookSpec spec, StepExecutors executors) => Refuse(Problems(spec, executors));

    /// <summary>Refuses what has problems.</summary>
    /// <exception cref="BadInputException">The message has a line for each problem.</exception>
    public static void Refuse(IReadOnlyList<RunbookProblem> problems)
    {
        if (problems.Count == 0) return;
        var told = problems.Take(MostProblems).Select(problem => $"{problem.Place}: {problem.Problem} {problem.Advice}").ToList();
        if (problems.Count > MostProblems) told.Add($"and {problems.Count - MostProblems} more");
        throw new BadInputException("spec", string.Join('\n', told), "Nothing was changed. Mend that and save again.");
    }

    /// <exception cref="BadInputException">It is empty or too long.</exception>
    public static string Name(string name) => name.Trim() is { Length: > 0 and <= LongestName } trimmed && !trimmed.Any(char.IsControl)
        ? trimmed : throw new BadInputException("name", $"The name has {name.Trim().Length} characters, or one that cannot be read.",
            $"1 to {LongestName} characters on one line.");

    /// <summary>What a version says, so that any change of it shows.</summary>
    public static byte[] HashOf(RunbookSpec spec) => SHA256.HashData(Encoding.UTF8.GetBytes(
        CanonicalJson.Write(JsonSerializer.SerializeToElement(spec, WireJson.Default.RunbookSpec))));

    /// <summary>Adds a version in the transaction that makes it the newest.</summary>
    public static Task AddVersion(Transaction tx, RunbookId id, int version, Caller caller, RunbookSpec spec, CancellationToken ct)
        => tx.Execute("insert into runbook_version (runbook_id, version, by_whom, spec, hash) values ($1, $2, $3, $4, $5)",
            [id, version, caller.Name, JsonText.Of(spec, WireJson.Default.RunbookSpec), HashOf(spec)], ct);

    public static async Task<IReadOnlyList<RunbookVersion>> Versions(SqlSource db, RunbookId id, int? most, CancellationToken ct)
        => await db.Query("select version, at, by_whom, spec, hash from runbook_version where runbook_id = $1 "
            + "order by version desc limit $2", [id, Math.Clamp(most ?? MostVersions, 1, MostVersions)],
            row => new RunbookVersion(row.Int(0), row.Time(1), row.Text(2), row.Json("spec", WireJson.Default.RunbookSpec)!,
                Convert.ToHexStringLower(row.Bytes(4))), ct);
}

/// <summary>Versions of runbooks as graphs. A version never changes, so what was read once holds.</summary>
public sealed class RunbookGraphs
{
    /// <summary>Most that are kept; beyond it all are read again as they are needed.</summary>
    const int Most = 64;

    readonly ConcurrentDictionary<(RunbookId, int), RunbookGraph> _kept = new();

    internal async Task<RunbookGraph> Get(SqlSource db, RunbookId id, int version, CancellationToken ct)
    {
        if (_kept.TryGetValue((id, version), out var kept)) return kept;
        var spec = await db.First("select spec from runbook_version where runbook_id = $1 and version = $2", [id, version],
            row => row.Json("spec", WireJson.Default.RunbookSpec), ct) ?? throw RunbookTable.NotThere();
        if (_kept.Count >= Most) _kept.Clear();
        return _kept[(id, version)] = new RunbookGraph(spec);
    }
}
