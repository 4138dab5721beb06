mod images;
mod rules;
