using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Web.Runbooks;

/// <summary>Writes a step that executes another runbook into a runbook's text, from the fields of a form. The rest of the text stays as it
/// was typed, with its comments. Pure.</summary>
public static class ChildStep
{
    /// <summary>Fields of the form, as refusals name them.</summary>
    public const string Child = "child", Name = "stepName", After = "after", Minutes = "minutes", Final = "isFinal";

    /// <summary>What is filled in at first, in minutes; the longest.</summary>
    public const int UsualMinutes = 120;

    /// <summary>The longest time of a step, in minutes.</summary>
    public static int MostMinutes => (int)StepSpec.LongestTimeout.TotalMinutes;

    const int LongestName = 40;

    /// <summary>Whether a refusal is about a field of this form.</summary>
    public static bool IsField(string? field) => field is Child or Name or After or Minutes or Final;

    /// <summary>The runbooks that a text's may execute, by name, and why not the others.</summary>
    /// <param name="document">What the text says; null where it cannot be read.</param>
    /// <param name="others">All runbooks but this one.</param>
    public static (IReadOnlyList<Runbook> Free, IReadOnlyList<(string Name, string Why)> Barred) Choices(RunbookDocument? document,
        IReadOnlyList<Runbook> others)
    {
        if (document is null) return (others, []);
        var all = others.Select(one => (Book: one, Problem: Refusals(document.Name, document.Spec, others, new StepSpec
        {
            Name = "",
            Kind = StepKind.Runbook,
            Timeout = StepSpec.LongestTimeout,
            IsPointOfNoReturn = true,
            Runbook = new ChildRunbookSpec { Name = one.Name },
        }).FirstOrDefault())).ToList();
        return ([.. all.Where(one => one.Problem is null).Select(one => one.Book)],
            [.. all.Where(one => one.Problem is not null).Select(one => (one.Book.Name, one.Problem!.Problem))]);
    }

    /// <summary>The text with the step behind the others.</summary>
    /// <exception cref="BadInputException">A field is wrong, or the text is not written so that a step can be put in.</exception>
    public static string Into(string yaml, RunbookDocument? document, RunbookForm form, IReadOnlyList<Runbook> others)
    {
        if (document is null)
            throw new BadInputException(Child, "The text cannot be read yet.", "Mend what stands beside it first; it is kept as it is.");
        var step = Of(form, document.Spec, others);
        MustFit(step, document, others);
        return Placed(yaml, step) ?? throw new BadInputException(Child, "The steps of the text do not stand in lines of their own.",
            $"Write it by hand: {Flow(step)}");
    }

    /// <summary>Whether the text that came of it says what it did before, and the step.</summary>
    /// <exception cref="BadInputException">It does not, as the text is written unusually.</exception>
    /// <returns>The step's name.</returns>
    public static string MustSay(RunbookDocument? now, RunbookDocument? before, RunbookForm form, IReadOnlyList<Runbook> others)
    {
        var step = Of(form, before!.Spec, others);
        if (now?.Spec.Steps.Count != before.Spec.Steps.Count + 1 || now.Spec.Steps[^1] is not { Kind: StepKind.Runbook } last
            || last.Name != step.Name)
            throw new BadInputException(Child, "It could not be put into the text as that is written.", $"Write it by hand: {Flow(step)}");
        return step.Name;
    }

    static StepSpec Of(RunbookForm form, RunbookSpec spec, IReadOnlyList<Runbook> others)
    {
        if (string.IsNullOrWhiteSpace(form.Child))
            throw new BadInputException(Child, "No runbook is chosen.", "Choose the one to execute.");
        var child = others.FirstOrDefault(one => string.Equals(one.Name, form.Child, StringComparison.OrdinalIgnoreCase))
            ?? throw new BadInputException(Child, $"There is no other runbook '{form.Child}'.", "Choose one that there is.");
        if (!int.TryParse(form.Minutes, NumberStyles.None, CultureInfo.InvariantCulture, out var minutes) || minutes < 1
            || minutes > MostMinutes)
            throw new BadInputException(Minutes, $"'{form.Minutes}' is no time.", $"Minutes, from 1 to {MostMinutes}.");
        return new StepSpec
        {
            Name = form.StepName?.Trim() is { Length: > 0 } name ? name : NameOf(child.Name, spec),
            Kind = StepKind.Runbook,
            Needs = form.After is { Length: > 0 } after ? [after] : [],
            Timeout = TimeSpan.FromMinutes(minutes),
            IsPointOfNoReturn = form.IsFinal,
            Runbook = new ChildRunbookSpec { Name = child.Name },
        };
    }

    static void MustFit(StepSpec step, RunbookDocument document, IReadOnlyList<Runbook> others)
    {
        var spec = document.Spec with { Steps = [.. document.Spec.Steps, step] };
        var at = $"steps.{step.Name}";
        var problem = RunbookProblems.Of(spec).FirstOrDefault(one => one.Place == at
            || one.Place.StartsWith($"{at}.", StringComparison.Ordinal)
            || one.Place == "steps" && spec.Steps.Count > RunbookSpec.MostSteps)
            ?? Refusals(document.Name, document.Spec, others, step).FirstOrDefault();
        if (problem is null) return;
        var field = problem.Place[Math.Min(at.Length, problem.Place.Length)..] switch
        {
            "" when problem.Place == at => Name,
            ".timeout" => Minutes,
            ".needs" => After,
            ".isPointOfNoReturn" => Final,
            _ => Child,
        };
        throw new BadInputException(field, problem.Problem, field == Final ? "Say so here." : problem.Advice);
    }

    /// <summary>What is wrong with executing another one, with what the text's executes already.</summary>
    static IEnumerable<RunbookProblem> Refusals(string name, RunbookSpec spec, IReadOnlyList<Runbook> others, StepSpec step)
        => new RunbookTree(name.Trim(), spec with { Steps = [.. spec.Steps, step] }, others.Select(one
            => new KnownRunbook(new ExecutionPart(one.Name, one.Id, one.Version), one.Spec))).Problems
            .Where(problem => problem.Place.StartsWith($"steps.{step.Name}.", StringComparison.Ordinal));

    /// <summary>A name for the step that no other has, from the runbook's.</summary>
    static string NameOf(string runbook, RunbookSpec spec)
    {
        var letters = new StringBuilder();
        foreach (var one in runbook.ToLowerInvariant())
        {
            if (char.IsAsciiLetterLower(one) || char.IsAsciiDigit(one) && letters.Length > 0) letters.Append(one);
            else if (letters.Length > 0 && letters[^1] != '-') letters.Append('-');
        }
        var plain = letters.ToString(0, Math.Min(letters.Length, LongestName - 4)).Trim('-');
        if (plain.Length == 0) plain = "runbook";
        var taken = spec.Steps.Select(step => step.Name).ToHashSet(StringComparer.Ordinal);
        return Enumerable.Range(1, taken.Count + 1).Select(number => number == 1 ? plain : $"{plain}-{number}")
            .First(name => !taken.Contains(name));
    }

    /// <summary>Null where the steps are no lines below "steps:".</summary>
    static string? Placed(string yaml, StepSpec step)
    {
        var lines = yaml.Split('\n').ToList();
        for (var at = 0; at < lines.Count; at++)
        {
            if (Indent(lines[at]) is not (> 0 and var key) || !IsKey(lines[at].Trim())) continue;
            var first = lines.FindIndex(at + 1, IsContent);
            var hasSteps = first >= 0 && Indent(lines[first]) >= key && lines[first].TrimStart().StartsWith("- ", StringComparison.Ordinal);
            var dash = hasSteps ? Indent(lines[first]) : key + 2;
            var last = at;
            for (var line = at + 1; hasSteps && line < lines.Count; line++)
            {
                if (!IsContent(lines[line])) continue;
                if (Indent(lines[line]) < dash || Indent(lines[line]) == dash && !lines[line].TrimStart().StartsWith('-')) break;
                last = line;
            }
            lines.InsertRange(last + 1, Lines(step).Select((text, number) => new string(' ', dash) + (number == 0 ? "- " : "  ") + text));
            return string.Join('\n', lines) is var whole && whole.EndsWith('\n') ? whole : whole + "\n";
        }
        return null;
    }

    static bool IsKey(string line) => line.StartsWith("steps:", StringComparison.Ordinal)
        && line["steps:".Length..].TrimStart() is "" or ['#', ..];

    static bool IsContent(string line) => line.TrimStart() is not ("" or ['#', ..]);

    static int Indent(string line) => line.Length - line.TrimStart(' ').Length;

    static IEnumerable<string> Lines(StepSpec step) =>
    [
        $"name: {step.Name}",
        $"kind: {nameof(StepKind.Runbook)}",
        .. step.Needs.Select(need => $"needs: [{need}]"),
        $"timeout: {Length(step.Timeout)}",
        .. step.IsPointOfNoReturn ? ["isPointOfNoReturn: true"] : Array.Empty<string>(),
        $"runbook: {{ name: {Quoted(step.Runbook!.Name)} }}",
    ];

    static string Flow(StepSpec step) => $"{{ {string.Join(", ", Lines(step))} }}";

    static string Length(TimeSpan time) => time.TotalMinutes % 60 == 0
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0}h")
        : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0}m");

    /// <summary>Names have no control characters; in quotes nothing else of them means anything but these two.</summary>
    static string Quoted(string name)
        => $"\"{name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
