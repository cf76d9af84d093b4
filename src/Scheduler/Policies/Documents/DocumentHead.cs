using BackupDr.Contracts;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>What documents of every kind have in common: what they say that they are, and how they are refused.</summary>
static class DocumentHead
{
    /// <summary>Most problems that are told at once.</summary>
    const int MostProblems = 20;

    /// <summary>Whether a member says what it has to; adds a problem where it does not.</summary>
    public static bool Is(YamlMap map, string name, string wanted, string file, List<DocumentProblem> problems)
    {
        var given = map.Find(name)?.Value;
        if (given is YamlScalar { Text: var text } && text == wanted) return true;
        problems.Add(new DocumentProblem(file, (given ?? map).Line, (given ?? map).Column, given is null ? $"'{name}' is missing."
            : $"'{name}' is {given.What}.", $"Write {name}: {wanted}"));
        return false;
    }

    /// <summary>All that is wrong, as one refusal.</summary>
    public static BadInputException Refused(List<DocumentProblem> problems)
    {
        var told = problems.Take(MostProblems).Select(problem => problem.ToString()).ToList();
        if (problems.Count > MostProblems) told.Add($"and {problems.Count - MostProblems} more");
        return new BadInputException("files", string.Join('\n', told), "Nothing was changed. Mend that and apply again.");
    }
}
