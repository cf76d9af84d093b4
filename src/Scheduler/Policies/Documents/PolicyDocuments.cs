using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>Policies as documents: written, read from files, and compared.</summary>
static class PolicyDocuments
{
    /// <summary>A document with the file that it stood in.</summary>
    internal sealed record Given(PolicyDocument Document, string File, int Line);

    public static string Write(PolicyDocument document, WireNames names)
        => WireYaml.Write(document, WireJson.Default.PolicyDocument, names).Block();

    /// <summary>A policy as a document.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="location">Where all of its items are kept; null where that is not one location.</param>
    public static PolicyDocument Of(Policy policy, LocationId? location) => new()
    {
        ApiVersion = PolicyDocument.TheVersion,
        Kind = PolicyDocument.TheKind,
        Name = policy.Name,
        Location = location,
        // What a rule brought a rule will bring again.
        Items = [.. policy.Items.Where(item => !item.IsByRule).Select(item => new NewItem(item.Host, item.Source))],
        Assign = policy.Assign,
        Spec = policy.Spec,
    };

    /// <summary>All documents of files.</summary>
    /// <param name="files">The files.</param>
    /// <param name="names">Names of hosts and locations.</param>
    /// <param name="books">Gets those of the kind Runbook, unread; null where such a document is refused.</param>
    /// <exception cref="BadInputException">Something in them is wrong; the message has a line for each problem, with its place.</exception>
    public static IReadOnlyList<Given> Read(IReadOnlyList<DocumentFile> files, WireNames names,
        List<(YamlMap Text, string File)>? books = null)
    {
        if (files.Count is 0 or > ApplyPoliciesRequest.MostFiles)
            throw new BadInputException("files", $"{files.Count} files were given.", $"From 1 to {ApplyPoliciesRequest.MostFiles}.");
        // Null is no file, whatever the type says: what reads the JSON looks at members, and not at what is in a list.
        if (files.Any(file => file is null or { Name: null } or { Text: null }))
            throw new BadInputException("files", "One of the files is null, or has no name or no text.", "Each has a name and a text.");
        var (problems, documents) = (new List<DocumentProblem>(), new List<Given>());
        foreach (var file in files)
            foreach (var value in YamlReading.Read(file, problems))
                if (books is not null && value is YamlMap map && map.Find("kind")?.Value is YamlScalar { Text: RunbookDocument.TheKind })
                    books.Add((map, file.Name));
                else if (Read(value, file.Name, names, problems) is { } document) documents.Add(new Given(document, file.Name, value.Line));
        foreach (var same in documents.GroupBy(given => given.Document.Name.Trim()).Where(same => same.Count() > 1))
            foreach (var given in same.Skip(1))
                problems.Add(new DocumentProblem(given.File, given.Line, 1,
                    $"The policy '{same.Key}' has a document in {same.First().File}:"
                    + $"{same.First().Line} already.", "Keep one of them."));
        if (problems.Count > 0) throw DocumentHead.Refused(problems);
        if (documents.Count == 0 && books is not { Count: > 0 })
            throw new BadInputException("files", "There is no document in what was given.", "docs/operate/policy-files.md has an example.");
        return documents;
    }

    static PolicyDocument? Read(YamlValue value, string file, WireNames names, List<DocumentProblem> problems)
    {
        // What it is comes first: the members of something else would all be unknown.
        if (value is YamlMap map)
        {
            if (!DocumentHead.Is(map, "apiVersion", PolicyDocument.TheVersion, file, problems)) return null;
            if (!DocumentHead.Is(map, "kind", PolicyDocument.TheKind, file, problems)) return null;
        }
        return WireYaml.Read(value, WireJson.Default.PolicyDocument, names, file, problems);
    }
}

/// <summary>What differs between two policies, member by member, in the words of documents.</summary>
static class PolicyDiff
{
    /// <summary>The changes from one value to another of the same type.</summary>
    public static IEnumerable<MemberChange> Between(YamlValue? from, YamlValue? to, string path)
    {
        if (from is YamlMap one && to is YamlMap other)
            return one.Members.Select(member => member.Name).Union(other.Members.Select(member => member.Name))
                .SelectMany(name => Between(one.Find(name)?.Value, other.Find(name)?.Value, Inner(path, name)));
        // A group that comes or goes is told member by member too: its one line could be long.
        if (from is YamlMap { Members.Count: > 0 } gone && to is null)
            return gone.Members.SelectMany(member => Between(member.Value, null, Inner(path, member.Name)));
        if (to is YamlMap { Members.Count: > 0 } come && from is null)
            return come.Members.SelectMany(member => Between(null, member.Value, Inner(path, member.Name)));
        var (before, after) = (from?.Flow(), to?.Flow());
        return before == after ? [] : [new MemberChange(path, before, after)];
    }

    static string Inner(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    /// <summary>What differs between what a policy wanted and wants.</summary>
    public static IReadOnlyList<MemberChange> Between((string Name, PolicySpec Spec, AssignSpec? Assign) from,
        (string Name, PolicySpec Spec, AssignSpec? Assign) to, WireNames names) =>
    [
        .. from.Name == to.Name ? [] : new[] { new MemberChange("name", from.Name, to.Name) },
        .. Between(Yaml(from.Assign, names), Yaml(to.Assign, names), "assign"),
        .. Between(WireYaml.Write(from.Spec, WireJson.Default.PolicySpec, names),
            WireYaml.Write(to.Spec, WireJson.Default.PolicySpec, names),
            "spec"),
    ];

    static YamlValue? Yaml(AssignSpec? assign, WireNames names)
        => assign is null ? null : WireYaml.Write(assign, WireJson.Default.AssignSpec, names);
}
