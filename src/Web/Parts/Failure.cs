using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Api;

namespace BackupDr.Web.Parts;

/// <summary>What went wrong in the words of the error grammar: what happened, what it means, what to do, and the code.</summary>
public sealed record Failure(string What, string Effect, string? Do, string Code, int Status, string? Field)
{
    /// <summary>The failure that a page shows in place of what it could not do; null for one that is nobody's but ours.</summary>
    public static Failure? Shown(Exception exception) => Problems.Of(exception) is { Status: not 500 } problem ? Of(problem) : null;

    /// <summary>The same words as the API, with their effect on protection.</summary>
    public static Failure Of(ApiProblem problem) => new(problem.Title, problem.Code == AgentProtocol.Superseded
        ? "Nothing was changed. Backups go on from the newer one." : EffectOf(problem.Status), problem.Hint, problem.Code,
        problem.Status, problem.Field);

    static string EffectOf(int status) => status switch
    {
        400 => "Nothing was saved.",
        404 => "It may have been removed, or the address is wrong.",
        500 => "We do not know yet why. What agents are doing goes on.",
        503 => "What agents are doing goes on.",
        _ => "Nothing was changed. Backups go on as planned.",
    };
}
