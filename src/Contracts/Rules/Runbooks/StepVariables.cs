using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>Texts of a step may name what an earlier step found out: "${db.host}". Pure.</summary>
public static partial class StepVariables
{
    [GeneratedRegex(@"\$\{([a-z][a-z0-9-]{0,39})\.([A-Za-z][A-Za-z0-9_]{0,63})\}")]
    private static partial Regex Name { get; }

    /// <summary>Whether it names any.</summary>
    public static bool Has(StepSpec step) => Named(step).Count > 0;

    /// <summary>The steps whose outputs it names.</summary>
    public static IReadOnlyList<string> Steps(StepSpec step) => [.. Named(step).Select(one => one.Step).Distinct()];

    static List<(string Step, string Output)> Named(StepSpec step)
        => [.. Name.Matches(JsonSerializer.Serialize(step, WireJson.Default.StepSpec))
            .Select(match => (match.Groups[1].Value, match.Groups[2].Value))];

    /// <summary>The step with their values in the places of their names.</summary>
    /// <param name="step">As it stands in the runbook.</param>
    /// <param name="states">What the steps found out.</param>
    /// <param name="problem">The first that has no value, in words; null where all have one.</param>
    public static StepSpec Fill(StepSpec step, IReadOnlyList<StepState> states, out string? problem)
    {
        problem = null;
        if (!Has(step)) return step;
        string? missing = null;
        string Value(Match match)
        {
            var (from, output) = (match.Groups[1].Value, match.Groups[2].Value);
            if (states.FirstOrDefault(state => state.Name == from)?.Outputs.GetValueOrDefault(output) is { } value) return value;
            missing ??= $"'{match.Value}' has no value: the step '{from}' did not give '{output}'.";
            return "";
        }
        var node = JsonSerializer.SerializeToNode(step, WireJson.Default.StepSpec)!;
        Walk(node, Value);
        problem = missing;
        return node.Deserialize(StoredJson.Of(WireJson.Default.StepSpec))!;
    }

    static void Walk(JsonNode node, MatchEvaluator value)
    {
        switch (node)
        {
            case JsonObject group:
                foreach (var (name, inner) in group.ToList())
                    if (Text(inner) is { } text) group[name] = Name.Replace(text, value);
                    else if (inner is not null) Walk(inner, value);
                break;
            case JsonArray list:
                for (var at = 0; at < list.Count; at++)
                    if (Text(list[at]) is { } text) list[at] = Name.Replace(text, value);
                    else if (list[at] is { } inner) Walk(inner, value);
                break;
        }
    }

    static string? Text(JsonNode? node)
        => node is JsonValue && node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;
}
