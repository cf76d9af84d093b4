using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>A runbook that others may name.</summary>
/// <param name="Part">Which, and in which version.</param>
/// <param name="Spec">What that says.</param>
public sealed record KnownRunbook(ExecutionPart Part, RunbookSpec Spec);

/// <summary>A runbook that is executed as a part of another one.</summary>
/// <param name="Name">Its name then.</param>
/// <param name="Runbook">Its id.</param>
/// <param name="Version">The version that is executed, whatever is saved afterwards.</param>
public sealed record ExecutionPart(string Name, RunbookId Runbook, int Version);

/// <summary>A runbook with all that it executes, directly or not. Pure.</summary>
public sealed class RunbookTree
{
    /// <summary>How many runbooks may lie below each other, beside the first.</summary>
    public const int Deepest = 3;

    readonly Dictionary<string, KnownRunbook> _known;
    readonly Dictionary<string, string> _usedBy = new(StringComparer.OrdinalIgnoreCase);
    readonly List<KnownRunbook> _parts = [];
    readonly List<RunbookProblem> _problems = [];

    /// <summary>Looks at it.</summary>
    /// <param name="name">The runbook's name.</param>
    /// <param name="spec">What it says.</param>
    /// <param name="known">All runbooks that there are, by their newest versions.</param>
    public RunbookTree(string name, RunbookSpec spec, IEnumerable<KnownRunbook> known)
    {
        _known = known.ToDictionary(one => one.Part.Name, StringComparer.OrdinalIgnoreCase);
        foreach (var step in Children(spec)) Walk(step, $"steps.{step.Name}", [name]);
    }

    /// <summary>What it executes, each before what it executes itself.</summary>
    public IReadOnlyList<KnownRunbook> Parts => _parts;

    /// <summary>What is wrong with that.</summary>
    public IReadOnlyList<RunbookProblem> Problems => _problems;

    /// <summary>The steps of a runbook that execute another one.</summary>
    public static IEnumerable<StepSpec> Children(RunbookSpec spec)
        => spec.Steps.Where(step => step is { Kind: StepKind.Runbook, Runbook.Name.Length: > 0 });

    void Walk(StepSpec step, string at, IReadOnlyList<string> way)
    {
        var name = step.Runbook!.Name;
        var place = $"{at}.runbook.name";
        if (way.Contains(name, StringComparer.OrdinalIgnoreCase))
            Say(place, $"They execute each other in a circle: {string.Join(" executes ", way.Append(name))}.",
                "Take this step away, or the other.");
        else if (way.Count > Deepest)
            Say(place, $"More than {Deepest} runbooks lie below each other: {string.Join(" executes ", way.Append(name))}.",
                "Put the steps of one into the one that executes it.");
        else if (!_known.TryGetValue(name, out var child))
            Say(place, way.Count == 1 ? $"There is no runbook '{name}'." : $"'{way[^1]}' executes '{name}', and there is no such runbook.",
                $"There are: {Names()}.");
        else if (!_usedBy.TryAdd(name, way[^1]))
            Say(place, $"'{name}' is executed twice, by '{_usedBy[name]}' and by '{way[^1]}'.",
                "A runbook is executed once at a time: let one step do it, which the others need.");
        else
        {
            if (!step.IsPointOfNoReturn && child.Spec.Steps.FirstOrDefault(StepKinds.IsPointOfNoReturn) is { } final)
                Say($"{at}.isPointOfNoReturn", $"'{name}' has a point of no return, its step '{final.Name}', and what executes it does not "
                    + "say so.", "Say isPointOfNoReturn: true.");
            _parts.Add(child);
            foreach (var inner in Children(child.Spec)) Walk(inner, at, [.. way, child.Part.Name]);
        }
    }

    void Say(string place, string problem, string advice) => _problems.Add(new(place, problem, advice));

    const int MostNamed = 10;

    string Names() => _known.Count == 0 ? "none" : string.Join(", ", _known.Keys.Order(StringComparer.Ordinal).Take(MostNamed))
        + (_known.Count > MostNamed ? " and others" : "");
}
