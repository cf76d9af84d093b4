using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>Something in a runbook that cannot be executed as it is written.</summary>
/// <param name="Place">"steps.db.timeout", or "steps" where it is about all.</param>
/// <param name="Problem">What is wrong.</param>
/// <param name="Advice">What to do.</param>
public sealed record RunbookProblem(string Place, string Problem, string Advice);

/// <summary>What is wrong with a runbook by itself, without a look at anything that it names.</summary>
public static class RunbookProblems
{
    const int LongestName = 40, LongestText = 2_000, MostApprovers = 10;
    static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1), LongestTarget = TimeSpan.FromDays(30),
        LongestCommit = TimeSpan.FromDays(2), LongestRehearsal = TimeSpan.FromDays(366);

    /// <summary>All of it; empty for a runbook that can be executed.</summary>
    public static IReadOnlyList<RunbookProblem> Of(RunbookSpec spec)
    {
        var problems = new List<RunbookProblem>(OfCourse(spec));
        var production = ProductionAddresses.Of(spec);
        foreach (var step in spec.Steps)
        {
            KindProblems.Of(step, $"steps.{step.Name}", problems);
            if (production.Refusal(step) is { } refusal)
                problems.Add(new($"steps.{step.Name}.rehearsal", refusal, "Name what a rehearsal uses in its place under rehearsal, or say "
                    + "inRehearsal: Skip."));
            HostKindProblems.Of(step, $"steps.{step.Name}", problems);
            ChildKindProblems.Of(step, $"steps.{step.Name}", problems);
            RestoreKindProblems.Of(step, $"steps.{step.Name}.restore", problems);
        }
        return problems;
    }

    /// <summary>What is wrong with the order of its steps and the rules between them, whatever each of them does.</summary>
    public static IReadOnlyList<RunbookProblem> OfCourse(RunbookSpec spec)
    {
        var problems = new List<RunbookProblem>();
        OfAll(spec, problems);
        var names = spec.Steps.Select(step => step.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var step in spec.Steps) OfStep(step, spec, names, problems);
        foreach (var twice in spec.Steps.GroupBy(step => step.Name).Where(same => same.Count() > 1))
            problems.Add(new($"steps.{twice.Key}", $"There are {twice.Count()} steps of this name.", "Give each a name of its own."));
        if (problems.Count == 0 && Circle(spec) is { } circle)
            problems.Add(new("steps", $"They need each other in a circle: {string.Join(" needs ", circle)}.",
                "Take one of these needs away."));
        if (problems.Count == 0) OfWays(new RunbookGraph(spec), problems);
        return problems;
    }

    static void OfAll(RunbookSpec spec, List<RunbookProblem> problems)
    {
        if (spec.Steps.Count is 0 or > RunbookSpec.MostSteps)
            problems.Add(new("steps", $"There are {spec.Steps.Count}.", $"From 1 to {RunbookSpec.MostSteps}."));
        if (spec.AtOnce is < 1 or > RunbookSpec.MostAtOnce)
            problems.Add(new("atOnce", $"It is {spec.AtOnce}.", $"From 1 to {RunbookSpec.MostAtOnce}."));
        Length("targets.rto", spec.Targets.Rto, Shortest, LongestTarget, problems);
        Length("targets.rpo", spec.Targets.Rpo, TimeSpan.Zero, LongestTarget, problems);
        Length("rehearseEvery", spec.RehearseEvery, TimeSpan.Zero, LongestRehearsal, problems);
        Length("commit.planned", spec.Commit.Planned, TimeSpan.Zero, LongestCommit, problems);
        Length("commit.disaster", spec.Commit.Disaster, TimeSpan.Zero, LongestCommit, problems);
        if (spec.From.Length > 0 && spec.From == spec.To)
            problems.Add(new("to", $"It is the site that is left, '{spec.From}'.", "Name the one that takes over."));
    }

    static void OfStep(StepSpec step, RunbookSpec spec, HashSet<string> names, List<RunbookProblem> problems)
    {
        var at = $"steps.{step.Name}";
        if (!IsName(step.Name))
            problems.Add(new(at, $"'{step.Name}' is not a name.", $"A lower-case letter, then such letters, digits and hyphens; at most "
                + $"{LongestName}."));
        if (step.Title?.Length > LongestText) problems.Add(new($"{at}.title", "It is too long.", $"At most {LongestText} characters."));
        Length($"{at}.timeout", step.Timeout, Shortest, StepSpec.LongestTimeout, problems);
        Length($"{at}.retryAfter", step.RetryAfter, TimeSpan.Zero, StepSpec.LongestTimeout, problems);
        if (step.Retries is < 0 or > StepSpec.MostRetries)
            problems.Add(new($"{at}.retries", $"It is {step.Retries}.", $"From 0 to {StepSpec.MostRetries}."));
        foreach (var need in step.Needs.Where(need => !names.Contains(need)))
            problems.Add(new($"{at}.needs", $"There is no step '{need}'.", names.Count > 1
                ? $"The steps are {string.Join(", ", spec.Steps.Select(one => one.Name).Where(name => name != step.Name).Take(20))}."
                : "Take it away."));
        if (step.Impact == StepImpact.Optional && step.OnFailure is not (null or OnStepFailure.Continue))
            problems.Add(new($"{at}.onFailure", "An optional step that fails lets the others go on.",
                "Make it critical, or leave this out."));
        if (step.OnFailure == OnStepFailure.GoTo != step.GoTo is not null)
            problems.Add(new($"{at}.goTo", step.GoTo is null ? "It says to go back, and not where to." : "It says where to go back to, and "
                + "something else is done when it fails.", "Give both onFailure: GoTo and goTo, or neither."));
        OfKind(step, at, problems);
    }

    static void OfKind(StepSpec step, string at, List<RunbookProblem> problems)
    {
        if (step.Kind == StepKind.Wait) Length($"{at}.for", step.For ?? TimeSpan.Zero, Shortest, step.Timeout, problems);
        else if (step.For is not null) problems.Add(new($"{at}.for", "Only a wait has a length.", "Leave it out."));
        if (step.Kind != StepKind.Approval)
        {
            if (step.Approval is not null) problems.Add(new($"{at}.approval", "Only an approval asks people.", "Leave it out."));
        }
        else if ((step.Approval ?? new()).Of is < 1 or > MostApprovers)
            problems.Add(new($"{at}.approval.of", $"It is {step.Approval!.Of}.", $"From 1 to {MostApprovers}."));
        if (step.Retries > 0 && step.Kind is StepKind.Wait or StepKind.Approval && step.Retries > 0)
            problems.Add(new($"{at}.retries", "Waiting and asking are not tried again.", "Leave it out."));
    }

    static void OfWays(RunbookGraph graph, List<RunbookProblem> problems)
    {
        for (var place = 0; place < graph.Spec.Steps.Count; place++)
        {
            var step = graph.Spec.Steps[place];
            if (step.GoTo is { } back)
            {
                var from = graph.Spec.Steps.ToList().FindIndex(one => one.Name == back);
                if (from < 0 || from == place || !graph.Before(place).Contains(from))
                    problems.Add(new($"steps.{step.Name}.goTo", $"'{back}' does not come before it.",
                        "Name a step that it needs, directly or not."));
                else if (graph.From(from).Any(one => StepKinds.IsPointOfNoReturn(graph.Spec.Steps[one]) && graph.Before(place)
                    .Contains(one)))
                    problems.Add(new($"steps.{step.Name}.goTo", "A point of no return lies between the two.",
                        "Go back to a step behind it."));
            }
            foreach (var named in StepVariables.Steps(step).Where(named => !graph.Before(place).Any(before => before != place
                && graph.Spec.Steps[before].Name == named)))
                problems.Add(new($"steps.{step.Name}", $"It names what '{named}' finds out, which does not come before it.",
                    "Name a step that it needs, directly or not."));
            foreach (var need in graph.NeedsOf(place).Where(need => graph.Spec.Steps[need].IsAlways && !step.IsAlways))
                problems.Add(new($"steps.{step.Name}.needs", $"'{graph.Spec.Steps[need].Name}' is done at the very end.",
                    "Only a step that is always done can come after one."));
        }
    }

    /// <summary>Steps that need each other, the first again at the end; null where none do.</summary>
    static List<string>? Circle(RunbookSpec spec)
    {
        var steps = spec.Steps.ToDictionary(step => step.Name, StringComparer.Ordinal);
        var (done, way) = (new HashSet<string>(StringComparer.Ordinal), new List<string>());
        foreach (var start in spec.Steps)
        {
            // One step at a time, not a call for each: a chain may be as long as there are steps.
            var open = new Stack<(string Step, int Next)>([(start.Name, 0)]);
            way.Clear();
            while (open.TryPop(out var at))
            {
                if (at.Next == 0)
                {
                    if (way.IndexOf(at.Step) is >= 0 and var first) return [.. way[first..], at.Step];
                    if (done.Contains(at.Step)) continue;
                    way.Add(at.Step);
                }
                if (at.Next < steps[at.Step].Needs.Count)
                {
                    open.Push((at.Step, at.Next + 1));
                    open.Push((steps[at.Step].Needs[at.Next], 0));
                    continue;
                }
                done.Add(at.Step);
                way.RemoveAt(way.Count - 1);
            }
        }
        return null;
    }

    static void Length(string place, TimeSpan? given, TimeSpan least, TimeSpan most, List<RunbookProblem> problems)
    {
        if (given is not { } length || (length >= least && length <= most)) return;
        problems.Add(new(place, $"It is {length:c}.", $"From {least:c} to {most:c}."));
    }

    static bool IsName(string name) => name.Length is > 0 and <= LongestName && name[0] is >= 'a' and <= 'z'
        && name.All(letter => letter is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');
}
