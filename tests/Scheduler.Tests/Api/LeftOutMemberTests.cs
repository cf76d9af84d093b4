using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using BackupDr.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace BackupDr.Scheduler.Tests.Api;

/// <summary>A request that leaves members out is read as the program that makes it with nothing else set: with the record's defaults.
/// Over every body of the API and of the agents' API, and every record inside of one.</summary>
public sealed class LeftOutMemberTests
{
    static WebApplication Node() => SchedulerNode.Create(new NodeSettings
    {
        Database = new DatabaseOptions { ConnectionString = "Host=127.0.0.1;Username=nobody" },
    });

    [Fact]
    public async Task What_a_body_leaves_out_keeps_its_default()
    {
        await using var app = Node();
        var options = app.Services.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
        var bodies = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints)
            .Select(endpoint => endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType).OfType<Type>().Where(IsRecord).Distinct();
        var wrong = new List<string>();
        var types = Reachable(bodies);
        foreach (var type in types)
        {
            var made = Sample(type);
            var text = Required(type, made, options).ToJsonString();
            var read = JsonSerializer.Deserialize(text, type, options);
            var (expected, found) = (JsonSerializer.Serialize(made, type, options), JsonSerializer.Serialize(read, type, options));
            if (expected != found) wrong.Add($"{type.Name} of {text} is {found}, not {expected}");
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(types.Count > 60, $"{types.Count} types");
    }

    static bool IsRecord(Type type) => type.IsClass && type.Assembly == typeof(WireJson).Assembly;

    /// <summary>Bodies, and the records that their members are made of.</summary>
    static List<Type> Reachable(IEnumerable<Type> bodies)
    {
        var found = new HashSet<Type>();
        var waiting = new Stack<Type>(bodies);
        while (waiting.TryPop(out var type))
        {
            if (type.IsGenericType) foreach (var part in type.GetGenericArguments()) waiting.Push(part);
            if (!IsRecord(type) || type.IsAbstract || !found.Add(type)) continue;
            foreach (var member in type.GetProperties()) waiting.Push(member.PropertyType);
        }
        return [.. found.OrderBy(type => type.Name, StringComparer.Ordinal)];
    }

    static IEnumerable<PropertyInfo> RequiredMembers(Type type)
        => type.GetProperties().Where(member => member.IsDefined(typeof(RequiredMemberAttribute)));

    static ParameterInfo[] Parameters(Type type) => type.GetConstructors()
        .Where(one => !(one.GetParameters() is [{ } only] && only.ParameterType == type)).MaxBy(one => one.GetParameters().Length)!
        .GetParameters();

    /// <summary>One of a kind as its constructor and its initialisers make it.</summary>
    static object Sample(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner) return Sample(inner);
        if (type == typeof(string)) return "x";
        if (type == typeof(TimeSpan)) return TimeSpan.FromHours(1);
        if (type == typeof(FilePath)) return FilePath.FromText("/x");
        if (type == typeof(byte[])) return "x"u8.ToArray();
        if (type == typeof(Uri)) return new Uri("https://x.example.org/");
        if (type == typeof(JsonElement)) return JsonSerializer.SerializeToElement("x");
        if (type.IsGenericType && type.IsAssignableTo(typeof(IEnumerable)))
        {
            var parts = type.GetGenericArguments();
            return parts.Length == 1 ? Array.CreateInstance(parts[0], 0)
                : Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(parts))!;
        }
        if (type.IsValueType) return type.GetMethod("From", BindingFlags.Public | BindingFlags.Static, [typeof(Guid)]) is { } from
            ? from.Invoke(null, [new Guid("0193f0a0-0000-7000-8000-000000000001")])! : Activator.CreateInstance(type)!;
        var made = Activator.CreateInstance(type, [.. Parameters(type).Select(one => one.HasDefaultValue ? DefaultOf(one)
            : Sample(one.ParameterType))])!;
        foreach (var member in RequiredMembers(type)) member.SetValue(made, Sample(member.PropertyType));
        return made;
    }

    static object? DefaultOf(ParameterInfo parameter) => parameter.DefaultValue
        ?? (parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType) : null);

    /// <summary>Only what has to be given.</summary>
    static JsonObject Required(Type type, object made, JsonSerializerOptions options)
    {
        var names = RequiredMembers(type).Select(member => member.Name)
            .Concat(Parameters(type).Where(one => !one.HasDefaultValue).Select(one => one.Name!))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var text = new JsonObject();
        foreach (var member in type.GetProperties().Where(member => names.Contains(member.Name)
            && !member.IsDefined(typeof(JsonIgnoreAttribute))))
            text[JsonNamingPolicy.CamelCase.ConvertName(member.Name)] =
                JsonSerializer.SerializeToNode(member.GetValue(made), member.PropertyType, options);
        return text;
    }

    [Fact]
    public async Task A_policy_that_is_posted_with_one_rule_of_retention_keeps_the_others()
    {
        await using var app = Node();
        var options = app.Services.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;

        var spec = JsonSerializer.Deserialize<Contracts.Specs.PolicySpec>("""{"retention":{"keepLast":5}}""", options)!;

        Assert.Equal(new Contracts.Specs.RetentionSpec().Trash, spec.Retention.Trash);
        Assert.Equal(new Contracts.Specs.PolicySpec().Rpo, spec.Rpo);
    }
}
