using System.Text.Json.Serialization;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>What steps write down before they change something outside: what was there before, and that a call went out. Whoever takes
/// over reads it; without it a node that died between a change and its report would take what was there before with it.</summary>
public interface IStepNotes
{
    /// <summary>Keeps notes of an activity, durably, unless somebody kept some for the same one.</summary>
    /// <returns>Those that are kept, and whether they are these.</returns>
    Task<KeptNotes> Keep(StepWork work, IReadOnlyDictionary<string, string> notes, CancellationToken ct);

    /// <summary>All notes of a step in an execution, oldest attempt first.</summary>
    Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> All(StepWork work, CancellationToken ct);
}

/// <summary>Notes of an activity.</summary>
/// <param name="IsFirst">Whether nobody had kept any before.</param>
/// <param name="Notes">What is kept.</param>
public sealed record KeptNotes(bool IsFirst, IReadOnlyDictionary<string, string> Notes);

/// <summary>Shape of notes.</summary>
[JsonSerializable(typeof(Dictionary<string, string>))]
sealed partial class StepNotesJson : JsonSerializerContext;

/// <summary>Notes in the database.</summary>
public sealed class StepNotes(Postgres db) : IStepNotes
{
    /// <summary>How long they are kept: longer than an execution can take.</summary>
    static readonly TimeSpan Kept = TimeSpan.FromDays(366);

    /// <inheritdoc/>
    public Task<KeptNotes> Keep(StepWork work, IReadOnlyDictionary<string, string> notes, CancellationToken ct)
        => db.InTransaction(async tx =>
    {
        await tx.Execute("delete from step_note where noted_at < clock() - $1", [Kept], ct);
        var isFirst = await tx.Execute("""
            insert into step_note (execution, step, attempt, notes) values ($1, $2, $3, $4) on conflict do nothing
            """, [work.Execution, work.Step.Name, work.Attempt, JsonText.Of(new Dictionary<string, string>(notes),
                StepNotesJson.Default.DictionaryStringString)], ct) == 1;
        return isFirst ? new KeptNotes(true, notes)
            : new KeptNotes(false, (await tx.First("select notes from step_note where execution = $1 and step = $2 and attempt = $3",
                [work.Execution, work.Step.Name, work.Attempt], Read, ct))!);
    }, ct);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> All(StepWork work, CancellationToken ct)
        => await db.Query("select notes from step_note where execution = $1 and step = $2 order by attempt",
            [work.Execution, work.Step.Name], Read, ct);

    static IReadOnlyDictionary<string, string> Read(Row row) => row.Json("notes", StepNotesJson.Default.DictionaryStringString)!;
}
