using System.ComponentModel;
using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Scheduler;

/// <summary>A record of settings that knows what is wrong with it.</summary>
public interface IChecked
{
    /// <summary>Every problem, each a sentence with the key in it.</summary>
    IEnumerable<string> Problems();
}

/// <summary>The settings cannot be used; the message lists every problem.</summary>
public sealed class SettingsException(IReadOnlyList<string> problems) : BackupDrException("settings.invalid",
    problems.Count == 1 ? problems[0] : $"{problems.Count} settings are "
        + $"wrong:{string.Concat(problems.Select(problem => "\n  - " + problem))}",
    "appsettings.sample.json explains every key. Settings come from --settings FILE, else BACKUPDR_SETTINGS, else "
        + "/etc/backupdr/appsettings.json; BACKUPDR__Section__Key overrides them.")
{
    public IReadOnlyList<string> Problems { get; } = problems;
}

/// <summary>Reads settings into records, and reports everything that is wrong at once, before any port is opened.</summary>
public static class Settings
{
    /// <summary>The file for all users of the machine; used only if it exists and no other is named.</summary>
    public const string DefaultFile = "/etc/backupdr/appsettings.json";

    /// <summary>Settings file and environment.</summary>
    /// <exception cref="SettingsException">The file is missing or no JSON.</exception>
    public static IConfiguration Load(string? file)
    {
        file ??= Environment.GetEnvironmentVariable("BACKUPDR_SETTINGS") is { Length: > 0 } named ? named : File.Exists(DefaultFile)
            ? DefaultFile : null;
        var builder = new ConfigurationBuilder();
        if (file is not null)
        {
            if (!File.Exists(file)) throw new SettingsException([$"The settings file {file} does not exist."]);
            builder.AddJsonFile(Path.GetFullPath(file), optional: false, reloadOnChange: false);
        }
        builder.AddEnvironmentVariables("BACKUPDR__");
        try
        {
            return builder.Build();
        }
        catch (InvalidDataException e)
        {
            throw new SettingsException([$"The settings file {file} cannot be read: {e.InnerException?.Message ?? e.Message}"]);
        }
    }

    /// <summary>Binds all keys to <typeparamref name="T"/>, whose properties are sections.</summary>
    /// <exception cref="SettingsException">Unknown keys, values of the wrong kind, or problems that a section itself reports.</exception>
    public static T Read<T>(IConfiguration configuration) where T : class, new()
    {
        var problems = new List<string>();
        var settings = new T();
        Bind(settings, configuration.GetChildren(), "", problems);
        problems.AddRange(Checks(settings));
        return problems.Count == 0 ? settings : throw new SettingsException(problems);
    }

    /// <summary>Every key that <typeparamref name="T"/> knows, "Section:Key", with its default as text.</summary>
    public static IEnumerable<(string Key, string Default)> Keys<T>() where T : class, new() => Keys(new T(), "");

    static IEnumerable<(string, string)> Keys(object target, string prefix) => target.GetType().GetProperties()
        .Where(property => property.SetMethod is not null).SelectMany(property =>
        IsSection(property.PropertyType)
            ? Keys(property.GetValue(target)!, $"{prefix}{property.Name}:")
            : [($"{prefix}{property.Name}", Text(property.GetValue(target)))]);

    static string Text(object? value) => value switch
    {
        null => "",
        string text => text,
        System.Collections.IEnumerable list => string.Join(",", list.Cast<object>().Select(Text)),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    static IEnumerable<string> Checks(object target)
    {
        var own = target is IChecked check ? check.Problems() : [];
        return own.Concat(target.GetType().GetProperties().Where(property => IsSection(property.PropertyType))
            .SelectMany(property => Checks(property.GetValue(target)!)));
    }

    static bool IsSection(Type type) => type is { IsClass: true } && type != typeof(string) && type.Assembly == typeof(Settings).Assembly;

    static void Bind(object target, IEnumerable<IConfigurationSection> keys, string prefix, List<string> problems)
    {
        var known = target.GetType().GetProperties().Where(property => property.SetMethod is not null).ToList();
        foreach (var key in keys)
        {
            if (known.Find(property => property.Name.Equals(key.Key, StringComparison.OrdinalIgnoreCase)) is not { } property)
                problems.Add($"{prefix}{key.Key} is no setting; here are: {string.Join(", ", known.Select(one => prefix + one.Name))}.");
            else if (IsSection(property.PropertyType)) Bind(property.GetValue(target)!, key.GetChildren(), $"{prefix}{property.Name}:",
                problems);
            else if (TryConvert(property.PropertyType, key, out var value)) property.SetValue(target, value);
            else problems.Add($"{prefix}{property.Name} is '{key.Value}'; it must be {Describe(property.PropertyType)}.");
        }
    }

    static bool TryConvert(Type type, IConfigurationSection key, out object? value)
    {
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
        {
            var element = type.GetGenericArguments()[0];
            var words = key.Value is { } line ? line.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                : [.. key.GetChildren().Select(child => child.Value ?? "")];
            var list = Array.CreateInstance(element, words.Length);
            value = list;
            for (var at = 0; at < words.Length; at++)
            {
                if (!TryConvert(element, words[at], out var item)) return false;
                list.SetValue(item, at);
            }
            return true;
        }
        value = null;
        return key.Value is { } text && TryConvert(type, text, out value);
    }

    static bool TryConvert(Type type, string text, out object? value)
    {
        value = text;
        if (type == typeof(string)) return true;
        if (type.IsEnum) return Enum.TryParse(type, text, ignoreCase: true, out value) && Enum.IsDefined(type, value!)
            && !char.IsAsciiDigit(text[0]);
        try
        {
            value = TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text);
            return true;
        }
        catch (Exception e) when (e is FormatException or ArgumentException or NotSupportedException or OverflowException)
        {
            return false;
        }
    }

    static string Describe(Type type) => type switch
    {
        _ when type == typeof(int) || type == typeof(long) => "a whole number",
        _ when type == typeof(bool) => "true or false",
        _ when type == typeof(TimeSpan) => "a time such as 00:00:30",
        _ when type.IsEnum => "one of " + string.Join(", ", Enum.GetNames(type)),
        _ when type.IsGenericType && type.GetGenericArguments()[0].IsEnum => "a list of "
            + string.Join(", ", Enum.GetNames(type.GetGenericArguments()[0])),
        _ => "a text",
    };
}
