using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>The steps of a runbook by what they need. Pure; for a runbook without problems.</summary>
public sealed class RunbookGraph
{
    readonly Dictionary<string, int> _places;
    readonly int[][] _needs, _neededBy;

    /// <summary>Reads the graph.</summary>
    /// <exception cref="ArgumentException">A step is needed that is not there, twice there, or in a circle: what
    /// <see cref="RunbookProblems"/> finds.</exception>
    public RunbookGraph(RunbookSpec spec)
    {
        Spec = spec;
        _places = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var place = 0; place < spec.Steps.Count; place++) _places.Add(spec.Steps[place].Name, place);
        _needs = [.. spec.Steps.Select(step => step.Needs.Select(PlaceOf).Distinct().ToArray())];
        var neededBy = spec.Steps.Select(_ => new List<int>()).ToArray();
        for (var place = 0; place < _needs.Length; place++)
            foreach (var need in _needs[place]) neededBy[need].Add(place);
        _neededBy = [.. neededBy.Select(list => list.ToArray())];
        Order = Sorted() ?? throw new ArgumentException("Steps need each other in a circle.", nameof(spec));
    }

    /// <summary>The runbook.</summary>
    public RunbookSpec Spec { get; }
    /// <summary>Places of the steps, each after all that it needs; otherwise as they were written.</summary>
    public IReadOnlyList<int> Order { get; }

    /// <summary>The place of a step in <see cref="RunbookSpec.Steps"/>.</summary>
    /// <exception cref="ArgumentException">There is none of this name.</exception>
    public int PlaceOf(string name) => _places.TryGetValue(name, out var place) ? place
        : throw new ArgumentException($"There is no step '{name}'.", nameof(name));

    /// <summary>Places of the steps that one needs directly.</summary>
    public IReadOnlyList<int> NeedsOf(int place) => _needs[place];
    /// <summary>Places of the steps that need one directly.</summary>
    public IReadOnlyList<int> NeededBy(int place) => _neededBy[place];

    /// <summary>A step and all that need it, directly or not.</summary>
    public IReadOnlySet<int> From(int place) => Reached(place, _neededBy);
    /// <summary>A step and all that it needs, directly or not.</summary>
    public IReadOnlySet<int> Before(int place) => Reached(place, _needs);

    /// <summary>The longest way through the graph: the steps that decide how long it takes at least.</summary>
    /// <param name="length">How long a step takes.</param>
    /// <param name="isEnd">Which steps such a way may end with; null for all.</param>
    public (TimeSpan Length, IReadOnlyList<string> Steps) CriticalPath(Func<StepSpec, TimeSpan> length, Func<StepSpec, bool>? isEnd = null)
    {
        var (ends, from) = (new TimeSpan[_needs.Length], new int[_needs.Length]);
        var last = -1;
        foreach (var place in Order)
        {
            from[place] = -1;
            foreach (var need in _needs[place])
                if (from[place] < 0 || ends[need] > ends[from[place]]) from[place] = need;
            ends[place] = (from[place] < 0 ? TimeSpan.Zero : ends[from[place]]) + length(Spec.Steps[place]);
            if ((last < 0 || ends[place] > ends[last]) && isEnd?.Invoke(Spec.Steps[place]) != false) last = place;
        }
        var path = new List<string>();
        for (var place = last; place >= 0; place = from[place]) path.Insert(0, Spec.Steps[place].Name);
        return (last < 0 ? TimeSpan.Zero : ends[last], path);
    }

    /// <summary>Steps in groups, each after the groups before it: how an editor shows them.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Groups()
    {
        var depth = new int[_needs.Length];
        foreach (var place in Order) depth[place] = _needs[place].Length == 0 ? 0 : _needs[place].Max(need => depth[need]) + 1;
        return [.. Enumerable.Range(0, depth.Length).GroupBy(place => depth[place]).OrderBy(group => group.Key)
            .Select(group => (IReadOnlyList<string>)[.. group.Select(place => Spec.Steps[place].Name)])];
    }

    static HashSet<int> Reached(int start, int[][] arrows)
    {
        var (reached, open) = (new HashSet<int> { start }, new Stack<int>([start]));
        while (open.TryPop(out var place))
            foreach (var next in arrows[place])
                if (reached.Add(next)) open.Push(next);
        return reached;
    }

    List<int>? Sorted()
    {
        var (left, order) = (_needs.Select(needs => needs.Length).ToArray(), new List<int>(_needs.Length));
        var ready = new SortedSet<int>(Enumerable.Range(0, left.Length).Where(place => left[place] == 0));
        while (ready.Count > 0)
        {
            var place = ready.Min;
            ready.Remove(place);
            order.Add(place);
            foreach (var next in _neededBy[place])
                if (--left[next] == 0) ready.Add(next);
        }
        return order.Count == left.Length ? order : null;
    }
}
