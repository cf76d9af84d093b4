using System.Net;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>What is wrong with steps that hosts carry out.</summary>
static class HostKindProblems
{
    /// <summary>Adds it.</summary>
    public static void Of(StepSpec step, string at, List<RunbookProblem> problems)
    {
        var isService = step.Kind is StepKind.ServiceStart or StepKind.ServiceStop or StepKind.ServiceRestart;
        var isFence = step.Kind == StepKind.Fence;
        if (isFence && (step.Script is null) == (step.Service is null))
            problems.Add(new($"{at}.fence", "It does not say how the old side is kept from taking writes.",
                "Give service: (which is stopped), or script: (which cuts it off), and not both."));
        if (step.Kind == StepKind.Script && step.Script is null)
            problems.Add(new($"{at}.script", "It says to run a program, and not which.", "Give script: with host and run."));
        else if (step.Kind != StepKind.Script && !isFence && step.Script is not null)
            problems.Add(new($"{at}.script", "Only a script and a fence run a program.",
                "Leave it out, or make it a step of kind Script."));
        if (isService && step.Service is null)
            problems.Add(new($"{at}.service", "It names no service.", "Give service: with host and unit."));
        else if (!isService && !isFence && step.Service is not null)
            problems.Add(new($"{at}.service", "It neither starts nor stops a service.", "Leave it out."));
        OfDatabase(step, step.Promote, StepKind.DbPromote, $"{at}.promote", problems);
        OfDatabase(step, step.Assert, StepKind.DbAssert, $"{at}.assert", problems);
        OfReprotect(step, $"{at}.reprotect", problems);
        if (step.Script is { } script) OfScript(step, script, $"{at}.script", problems);
        if (step.Service is { } service)
        {
            OfHost(step, service.Host, service.RehearsalHost, $"{at}.service", problems);
            if (service.Unit.Length == 0 || !new HostUnit(service.Unit, ServiceVerb.Start).IsUnit())
                problems.Add(new($"{at}.service.unit", $"'{service.Unit}' is no name of a service.", "For example shop.service."));
        }
    }

    static void OfScript(StepSpec step, ScriptStepSpec script, string at, List<RunbookProblem> problems)
    {
        OfHost(step, script.Host, script.RehearsalHost, at, problems);
        OfSandbox(script, at, problems);
        foreach (var (program, name) in new[] { (script.Run, "run"), (script.Undo, "undo"), (script.CleanUp, "cleanUp") })
        {
            if (program is null) continue;
            if (!HooksSpec.IsName(program.Name))
                problems.Add(new($"{at}.{name}.name", $"'{program.Name}' is no file name of a program.",
                    "Letters, digits, dots, dashes and underscores; it stands in the host's folder for runbooks."));
            if (program.Sha256.Length != 64 || !program.Sha256.All(char.IsAsciiHexDigit))
                problems.Add(new($"{at}.{name}.sha256", "It does not say what the program's content must be.",
                    "64 hexadecimal digits, as sha256sum prints them for the file on the host."));
            if (!new HostScript(program.Name, program.Arguments, program.Sha256).AreArguments())
                problems.Add(new($"{at}.{name}.arguments", "They cannot be handed over.", $"At most {HostStep.MostArguments} of at most "
                    + $"{HostStep.LongestArgument} characters, without NUL."));
        }
    }

    static void OfSandbox(ScriptStepSpec script, string at, List<RunbookProblem> problems)
    {
        var reaches = script.RehearsalReaches ?? [];
        if (reaches.Count > 0 && script.RehearsalHost is null)
            problems.Add(new($"{at}.rehearsalReaches", "It names addresses for rehearsals, and no host.", "Give rehearsalHost too."));
        if (reaches.Count > ScriptStepSpec.MostReaches)
            problems.Add(new($"{at}.rehearsalReaches", $"These are {reaches.Count} addresses.", $"At most {ScriptStepSpec.MostReaches}."));
        foreach (var one in reaches)
            if (!IPEndPoint.TryParse(one, out var end) || end.Port == 0)
                problems.Add(new($"{at}.rehearsalReaches", $"'{one}' is no address and port.",
                    "As 10.9.0.5:5432: a sandbox has no name server, so names lead nowhere."));
    }

    static void OfDatabase(StepSpec step, DatabaseStepSpec? database, StepKind kind, string at, List<RunbookProblem> problems)
    {
        if (step.Kind == kind && database is null)
            problems.Add(new(at, "It names no database server.", "Give host and cluster, as a policy does."));
        if (database is null) return;
        if (step.Kind != kind) problems.Add(new(at, $"It is not a step of kind {kind}.", "Leave it out."));
        OfHost(step, database.Host, database.RehearsalHost, at, problems);
        if (database.RehearsalCluster is not null && database.RehearsalHost is null)
            problems.Add(new($"{at}.rehearsalCluster", "It names a server for rehearsals, and no host.", "Give rehearsalHost too."));
        if (kind == StepKind.DbAssert && database.Query is not { Length: > 0 and <= HostDatabase.LongestQuery })
            problems.Add(new($"{at}.query", "It asks nothing, or too much.", $"A query of at most {HostDatabase.LongestQuery} characters, "
                + "for example select count(*) > 0 from orders."));
        if (kind != StepKind.DbAssert && (database.Query ?? (object?)database.MaxAge) is not null)
            problems.Add(new($"{at}.query", "Only an assertion asks something.", "Leave query and maxAge out."));
        if (kind != StepKind.DbPromote && database.IsLossless)
            problems.Add(new($"{at}.isLossless", "Only a promotion waits for all that the primary had.", "Leave it out."));
        if (database.Instead is { } old && (kind != StepKind.DbPromote || old.Host.Length == 0))
            problems.Add(kind == StepKind.DbPromote ? new($"{at}.instead", "It names no host.", "The old primary's host.")
                : new($"{at}.instead", "Only a promotion takes the place of a server.", "Leave it out."));
        if (database.MaxAge < TimeSpan.Zero) problems.Add(new($"{at}.maxAge", $"It is {database.MaxAge:c}.", "Zero or more."));
    }

    static void OfReprotect(StepSpec step, string at, List<RunbookProblem> problems)
    {
        if (step.Kind == StepKind.DbReprotect && step.Reprotect is null)
            problems.Add(new(at, "It names no server that is to be a standby.", "Give host, cluster and from."));
        if (step.Reprotect is not { } reprotect) return;
        if (step.Kind != StepKind.DbReprotect) problems.Add(new(at, $"It is not a step of kind {StepKind.DbReprotect}.", "Leave it out."));
        OfHost(step, reprotect.Host, null, at, problems);
        if (reprotect.From.Host is null)
            problems.Add(new($"{at}.from.host", "It does not say whom the standby follows.",
                "The primary's address as that host reaches it."));
    }

    static void OfHost(StepSpec step, string host, string? rehearsal, string at, List<RunbookProblem> problems)
    {
        if (host.Length == 0) problems.Add(new($"{at}.host", "It names no host.", "The name of a host, as on the page of hosts."));
        if (rehearsal == host && host.Length > 0)
            problems.Add(new($"{at}.rehearsalHost", "A rehearsal would run on the host of production.",
                "Name another host, or leave it out."));
        if (step.InRehearsal == InRehearsal.Do && rehearsal is null)
            problems.Add(new($"{at}.rehearsalHost", "A rehearsal is to do it, and no host is named for that.",
                "Name the host that rehearsals use."));
    }
}
